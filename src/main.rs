//! The `latentd` command.

fn main() {}
