#!/usr/bin/env bash
# The runtime's tests on a machine with a Vulkan driver and without cargo. `xtask/vulkan-suite.sh pack` builds them here, without debug
# information, into target/vulkan-suite (some 20 MB); with that folder carried there, `xtask/vulkan-suite.sh run` in the root runs them on
# the best Vulkan device (or on the one that FENCEPOST_TEST_DEVICE names), judging every submission. What follows goes to the tests.
set -euo pipefail
cd "$(dirname "$0")/.."
out=target/vulkan-suite

pack() {
    mkdir -p "$out"
    local built name
    for name in "--test it" "--lib"; do
        # shellcheck disable=SC2086
        built=$(cargo test -q -p fencepost $name --no-run --message-format=json |
            grep -o '"executable":"[^"]*"' | tail -n 1 | cut -d '"' -f 4)
        strip -o "$out/${name##* }" "$built"
    done
    mv "$out/--lib" "$out/lib"
    ls -l "$out"
}

run() {
    export FENCEPOST_TEST_DEVICE=${FENCEPOST_TEST_DEVICE:-vulkan} FENCEPOST_VULKAN_CHECK=1 FENCEPOST_PROGRAMS=$PWD/programs
    local tests=(conformance events faults liveness managed memory misuse parity smoke storage threads transfers)
    "$out/lib" backend::vulkan
    "$out/it" "${tests[@]}" --skip s5_a_pass_that_samples_what_another_one_drew \
        --skip what_became_of_each_encoder_is_known "$@"
}

case ${1:-} in
pack) pack ;;
run) shift && run "$@" ;;
*) echo "usage: $0 pack | run [for the tests]" && exit 2 ;;
esac
