//! What the process may use: cores and memory, as affinity and control groups grant them.

use std::fs;
use std::path::Path;

/// CPU cores, at least 1.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Memory in bytes: the least limit of the process's control groups, else that of the machine.
/// Files are read below `root`; `None` if none of them can be.
pub(super) fn memory_bytes(root: &Path) -> Option<u64> {
    let groups = read(root, "proc/self/cgroup").unwrap_or_default();
    let limits = groups.lines().filter_map(folder_and_file).filter_map(|(base, folder, file)| {
        // A container often sees its own group as the root of the tree.
        let up = Path::new(folder.trim_start_matches('/')).ancestors();
        up.filter_map(|folder| parse(&read(&root.join(base).join(folder), file)?)).min()
    });
    let machine = machine_bytes(&read(root, "proc/meminfo").unwrap_or_default());
    limits.chain(machine).min()
}

/// A line of `/proc/self/cgroup`: where its hierarchy is mounted, the group, and the file with
/// the limit; version 2 has no controllers, version 1 one line for memory among others.
fn folder_and_file(line: &str) -> Option<(&'static str, &str, &'static str)> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, folder) = (parts.next()?, parts.next()?);
    if controllers.is_empty() {
        return Some(("sys/fs/cgroup", folder, "memory.max"));
    }
    let memory = controllers.split(',').any(|name| name == "memory");
    memory.then_some(("sys/fs/cgroup/memory", folder, "memory.limit_in_bytes"))
}

fn read(folder: &Path, file: &str) -> Option<String> {
    fs::read_to_string(folder.join(file)).ok()
}

/// `max` is no limit, and neither is what version 1 writes for it.
fn parse(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|bytes| *bytes < 1 << 60)
}

fn machine_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths and texts.
    type Files<'a> = &'a [(&'a str, &'a str)];

    /// A root with these files.
    fn root(files: Files<'_>) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const MACHINE: (&str, &str) = ("proc/meminfo", "MemTotal:        1000 kB\nMemFree: 1 kB\n");

    #[test]
    fn the_least_limit_counts() {
        let v2 = ("proc/self/cgroup", "0::/system.slice/latentd.service\n");
        let unit = ("sys/fs/cgroup/system.slice/latentd.service/memory.max", "700000\n");
        let slice = ("sys/fs/cgroup/system.slice/memory.max", "600000\n");
        let none = ("sys/fs/cgroup/system.slice/latentd.service/memory.max", "max\n");
        let v1 = ("proc/self/cgroup", "9:memory:/docker/x\n1:name=systemd:/\n");
        let v1_limit = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "500000\n");
        let v1_none = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        #[rustfmt::skip]
        let cases: [(&str, Files<'_>, Option<u64>); 6] = [
            ("the machine",         &[MACHINE, v2],              Some(1_024_000)),
            ("the unit",            &[MACHINE, v2, unit],        Some(700_000)),
            ("the slice around it", &[MACHINE, v2, unit, slice], Some(600_000)),
            ("no limit",            &[MACHINE, v2, none],        Some(1_024_000)),
            ("version 1, at root",  &[MACHINE, v1, v1_limit],    Some(500_000)),
            ("version 1, none",     &[v1, v1_none],              None),
        ];
        for (what, files, expected) in cases {
            assert_eq!(memory_bytes(root(files).path()), expected, "{what}");
        }
    }

    #[test]
    fn this_machine_has_cores() {
        assert!(cores() >= 1);
    }
}
