//! The `latentd` command; `src/cli` has its arguments.

fn main() -> std::process::ExitCode {
    latentd::cli::main()
}
