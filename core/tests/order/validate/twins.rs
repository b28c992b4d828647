//! Every finding with the program that has it and the one that differs by what mends it.
