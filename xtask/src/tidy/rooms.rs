//! Who may name whom. The rooms of the architecture stay apart because a build fails when one reaches into another.

use super::Finding;
use super::syntax::Source;

/// Names that files under `within`, but not under `except`, must not use.
struct Wall {
    within: &'static str,
    except: &'static str,
    names: &'static [&'static [&'static str]],
    /// Whether a path must begin with the names; otherwise they may stand anywhere in it.
    from_root: bool,
    why: &'static str,
}

const BACKENDS: &[&[&str]] = &[&["backend", "cpu"], &["backend", "vulkan"]];
const BACKEND_WHY: &str = "only `backend` and `submit` know which backends there are; name the trait";
const OUTSIDE: &[&[&str]] = &[
    &["std", "fs"],
    &["std", "net"],
    &["std", "io"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "time"],
    &["core", "time"],
];
const ENGINE: &[&[&str]] = &[
    &["fencepost_core", "Engine"],
    &["fencepost_core", "Plan"],
    &["fencepost_core", "PlanNode"],
    &["fencepost_core", "*"],
    &["fencepost_core", "plan"],
];
const JUDGES: &[&[&str]] = &[&["fencepost_core", "validate"]];

const WALLS: &[Wall] = &[
    wall("runtime/src/api/", BACKENDS, BACKEND_WHY),
    wall("runtime/src/record/", BACKENDS, BACKEND_WHY),
    wall("runtime/src/signal/", BACKENDS, BACKEND_WHY),
    Wall {
        except: "runtime/src/backend/vulkan",
        from_root: true,
        ..wall("runtime/src/", &[&["ash"]], "Vulkan is one backend's business")
    },
    Wall {
        except: "runtime/src/shader",
        from_root: true,
        ..wall("runtime/src/", &[&["naga"]], "only `shader` knows naga; name its own types")
    },
    Wall {
        except: "runtime/src/submit",
        from_root: true,
        ..wall("runtime/src/", ENGINE, "only `submit` decides an order; others obey a plan")
    },
    Wall {
        except: "runtime/src/validation",
        from_root: true,
        ..wall("runtime/src/", JUDGES, "only `validation` judges what an app does; others tell it")
    },
    Wall {
        from_root: true,
        ..wall("core/src/", OUTSIDE, "the core has no files, no threads and no clock; pass the value in")
    },
    Wall {
        from_root: true,
        ..wall("core/src/", &[&["naga"], &["ash"], &["fencepost"]], "the core knows no GPU")
    },
    Wall {
        from_root: true,
        ..wall(
            "format/src/",
            &[&["std", "fs"], &["naga"], &["ash"], &["fencepost"]],
            "a text is a text: who has a file reads it, who has a device runs it",
        )
    },
    Wall {
        from_root: true,
        ..wall(
            "ipc/src/",
            &[&["naga"], &["ash"], &["fencepost"]],
            "ipc carries numbers between processes and knows no GPU",
        )
    },
    Wall {
        from_root: true,
        ..wall("cli/src/", &[&["naga"], &["ash"]], "the tool is a user of the library like any other")
    },
];

const fn wall(within: &'static str, names: &'static [&'static [&'static str]], why: &'static str) -> Wall {
    Wall { within, except: "\0", names, from_root: false, why }
}

/// Crates in which unsafe code does not compile.
const SAFE_ROOTS: [&str; 4] =
    ["core/src/lib.rs", "format/src/lib.rs", "cli/src/main.rs", "xtask/src/main.rs"];

pub(super) fn check(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for wall in WALLS
        .iter()
        .filter(|wall| source.path.starts_with(wall.within) && !source.path.starts_with(wall.except))
    {
        for names in wall.names {
            let line = if wall.from_root { source.names_from_root(names) } else { source.names(names) };
            if let Some(line) = line {
                findings.push(Finding::new(
                    source.path,
                    line,
                    format!("names `{}`: {}", names.join("::"), wall.why),
                ));
            }
        }
    }
    if SAFE_ROOTS.contains(&source.path) && !source.text.contains("#![forbid(unsafe_code)]") {
        findings.push(Finding::new(source.path, 1, "must say `#![forbid(unsafe_code)]`"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tree::File;
    use super::*;

    fn findings(path: &str, text: &str) -> usize {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        check(&Source::parse(&file).expect("the test's text is Rust")).len()
    }

    #[test]
    fn the_api_names_no_backend() {
        assert_eq!(
            findings("runtime/src/api/device.rs", "use crate::backend::{Backend, cpu::CpuBackend};"),
            1
        );
        assert_eq!(findings("runtime/src/api/device.rs", "use crate::backend::Backend;"), 0);
        assert_eq!(findings("runtime/src/submit/mod.rs", "use crate::backend::cpu::CpuBackend;"), 0);
    }

    #[test]
    fn foreign_crates_stay_in_their_room() {
        assert_eq!(findings("runtime/src/error.rs", "fn f(e: naga::WithSpan) {}"), 1);
        assert_eq!(findings("runtime/src/shader/lower.rs", "fn f(e: naga::WithSpan) {}"), 0);
        assert_eq!(findings("runtime/src/backend/cpu/mod.rs", "use ash::vk;"), 1);
        assert_eq!(findings("runtime/src/backend/vulkan/mod.rs", "use ash::vk;"), 0);
    }

    #[test]
    fn only_submit_plans() {
        assert_eq!(findings("runtime/src/backend/cpu/mod.rs", "use fencepost_core::{NodeId, Plan};"), 1);
        assert_eq!(findings("runtime/src/api/queue.rs", "use fencepost_core::*;"), 1);
        assert_eq!(findings("runtime/src/submit/mod.rs", "use fencepost_core::{Engine, Plan};"), 0);
        assert_eq!(findings("runtime/src/api/queue.rs", "use fencepost_core::QueueId;"), 0);
    }

    #[test]
    fn the_core_touches_nothing_outside() {
        assert_eq!(
            findings(
                "core/src/plan.rs",
                "fn f() { std::thread::yield_now(); let _ = std::time::Instant::now(); }"
            ),
            2
        );
        assert_eq!(findings("core/src/plan.rs", "#[cfg(test)] mod tests { use std::time::Instant; }"), 0);
        assert_eq!(findings("core/src/order/tests.rs", "use std::time::Instant;"), 0);
    }

    #[test]
    fn safe_crates_say_so() {
        assert_eq!(findings("core/src/lib.rs", "//! Why."), 1);
        assert_eq!(findings("core/src/lib.rs", "//! Why.\n#![forbid(unsafe_code)]"), 0);
    }
}
