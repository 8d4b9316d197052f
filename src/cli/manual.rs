//! `latentd manual`: man pages and shell completions, from the same arguments.

use std::fs;
use std::io;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use super::args::{Cli, ManualArgs};
use super::exit::Failure;

const NAME: &str = "latentd";
/// The section of commands.
const SECTION: &str = "man1";
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// Writes `man1/latentd*.1` and `completions/*` below a folder.
pub(super) fn run(args: &ManualArgs) -> Result<(), Failure> {
    let told = |error: io::Error| Failure::failed(format!("{}: {error}", args.folder.display()));
    let (pages, completions) = (args.folder.join(SECTION), args.folder.join("completions"));
    fs::create_dir_all(&pages).map_err(told)?;
    fs::create_dir_all(&completions).map_err(told)?;
    // No pages about `help`; complete sub-command names: `latentd-state-verify(1)`.
    let mut command = without_help(Cli::command());
    command.build();
    clap_mangen::generate_to(command, &pages).map_err(told)?;
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut Cli::command(), NAME, &completions).map_err(told)?;
    }
    Ok(())
}

fn without_help(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_every_shell_its_completions() {
        let folder = tempfile::tempdir().unwrap();
        run(&ManualArgs { folder: folder.path().to_owned() }).unwrap();
        let read = |path: &str| fs::read_to_string(folder.path().join(path)).unwrap();
        let top = read("man1/latentd.1");
        for command in Cli::command().get_subcommands().filter(|c| !c.is_hide_set()) {
            let name = command.get_name();
            let page = read(&format!("man1/latentd-{name}.1"));
            assert!(page.contains(&format!("latentd\\-{name}")), "{name}");
            assert!(top.contains(&format!("latentd\\-{name}")), "{name}");
        }
        let pages = fs::read_dir(folder.path().join("man1")).unwrap();
        let mut names = pages.map(|page| page.unwrap().file_name().into_string().unwrap());
        assert!(names.all(|name| !name.contains("help")));
        for file in ["latentd.bash", "_latentd", "latentd.fish"] {
            assert!(read(&format!("completions/{file}")).contains("reset-state"), "{file}");
        }
    }
}
