// SPDX-License-Identifier: GPL-2.0-only

//! What a host knows of the file of a cluster, on its disk: the state, the contents of the versions by their digests, and the
//! file itself.
//!
//! A change that is staged is written down as far as it can be: where it comes into force, two renames are left, which a full
//! disk does not keep from happening. The rename of the state is the moment at which a version is in force on this host; the
//! file follows, if need be after a restart.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use nlbadm::replica::{Ask, Digest, FileState, State, Version};

use super::disk::Disk;
use crate::log;

/// Mode of what nobody else needs to read.
const OWN: u32 = 0o600;

/// Mode of the file, where there was none.
const FILE: u32 = 0o644;

/// What a host knows of the file of a cluster.
#[derive(Debug)]
pub(super) struct Store {
    disk: Box<dyn Disk>,
    directory: PathBuf,
    /// The file of the cluster, which the host is made of.
    file: PathBuf,
    state: State,
    addresses: Addresses,
}

/// Where hosts are, by their ids.
pub(super) type Addresses = BTreeMap<u8, Vec<IpAddr>>;

impl Store {
    /// What is known in a directory, which exists, of a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(super) fn open(mut disk: Box<dyn Disk>, directory: &Path, file: &Path) -> io::Result<Self> {
        let path = directory.join("state.json");
        let addresses = disk.read(&directory.join("hosts.json")).ok().flatten();
        let addresses = addresses.and_then(|text| serde_json::from_str(&text).ok());
        let state = match disk.read(&path)?.map(|text| serde_json::from_str(&text)) {
            Some(Ok(state)) => state,
            None => State::default(),
            Some(Err(error)) => {
                let bad = directory.join("state.json.bad");
                log!(
                    "{}: {error}: it is kept as {}, and other hosts are asked for the versions of the file",
                    path.display(),
                    bad.display()
                );
                disk.rename(&path, &bad)?;
                State::default()
            }
        };
        Ok(Store {
            disk,
            directory: directory.into(),
            // A name for the file that is a link stays one.
            file: file.canonicalize().unwrap_or_else(|_| file.into()),
            state,
            addresses: addresses.unwrap_or_default(),
        })
    }

    /// Where hosts were, for the next start: a host that starts hears nobody yet.
    pub(super) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Notes where hosts are. If that cannot be written, it is known as long as this process lives.
    pub(super) fn note_addresses(&mut self, addresses: Addresses) {
        if addresses == self.addresses {
            return;
        }
        self.addresses = addresses;
        let (new, path) = (
            self.directory.join("hosts.new"),
            self.directory.join("hosts.json"),
        );
        let written = serde_json::to_string(&self.addresses)
            .map_err(io::Error::from)
            .and_then(|text| self.disk.write(&new, &text, OWN))
            .and_then(|()| self.disk.rename(&new, &path));
        if let Err(error) = written {
            log!("{error}");
        }
    }

    /// What is known.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Writes down what a request leads to.
    ///
    /// # Errors
    ///
    /// If that is not possible; then nothing has changed.
    pub(super) fn write_down(
        &mut self,
        ask: &Ask,
        state: State,
        text: Option<&str>,
    ) -> io::Result<()> {
        if let Some(text) = text {
            self.keep(text)?;
            self.prepare(&state, text)?;
        }
        self.save(state)?;
        if matches!(ask, Ask::Withdraw(_)) {
            self.tidy();
        }
        Ok(())
    }

    /// Keeps a content.
    fn keep(&mut self, text: &str) -> io::Result<()> {
        let path = self.path_of(&Digest::of(text));
        if self.disk.read(&path)?.as_deref() == Some(text) {
            return Ok(());
        }
        let new = self.directory.join("content.new");
        self.disk.write(&new, text, OWN)?;
        self.disk.rename(&new, &path)?;
        self.disk.sync(&self.directory)
    }

    /// Writes down all that a version needs to come into force.
    fn prepare(&mut self, state: &State, text: &str) -> io::Result<()> {
        let next = self.next_file();
        let mode = self.disk.mode(&self.file)?.unwrap_or(FILE);
        self.disk.write(&next, text, mode)?;
        if let Some(directory) = self.file.parent() {
            self.disk.sync(directory)?;
        }
        if let Some(committed) = state.committed() {
            let text = serde_json::to_string(&committed)?;
            let path = self.directory.join("state.next");
            self.disk.write(&path, &text, OWN)?;
            self.disk.sync(&self.directory)?;
        }
        Ok(())
    }

    fn save(&mut self, state: State) -> io::Result<()> {
        let text = serde_json::to_string(&state)?;
        let prepared = self.directory.join("state.next");
        let from = if self.disk.read(&prepared)?.as_deref() == Some(&text) {
            prepared
        } else {
            let new = self.directory.join("state.new");
            self.disk.write(&new, &text, OWN)?;
            new
        };
        self.disk
            .rename(&from, &self.directory.join("state.json"))?;
        // It is so from here on, whether or not the disk can say so.
        self.state = state;
        self.disk.sync(&self.directory)
    }

    /// Removes what nobody needs any more.
    fn tidy(&mut self) {
        let needed: Vec<Digest> = self.state.digests().collect();
        if self.state.staged.is_none() {
            for path in [self.next_file(), self.directory.join("state.next")] {
                self.forget(&path);
            }
        }
        let Ok(entries) = self.directory.read_dir() else {
            return;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let digest = path
                .file_stem()
                .and_then(|stem| stem.to_str()?.parse().ok());
            if digest.is_some_and(|digest| !needed.contains(&digest)) {
                self.forget(&path);
            }
        }
    }

    fn forget(&mut self, path: &Path) {
        if let Err(error) = self.disk.remove(path) {
            log!("{error}");
        }
    }

    /// The content of a version.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is another one.
    pub(super) fn text(&mut self, version: &Version) -> io::Result<String> {
        let path = self.path_of(&version.digest);
        match self.disk.read(&path)? {
            Some(text) if Digest::of(&text) == version.digest => Ok(text),
            _ => Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("{}: the content of {version} is not there", path.display()),
            )),
        }
    }

    /// Whether the version in force is to be put where the file is.
    pub(super) fn has_to_place(&mut self) -> bool {
        if self.state.current.is_none() {
            return false;
        }
        self.state.current != self.state.placed
            || (self.state.followed.is_none() && self.file_state() != FileState::Same)
    }

    /// Puts the version in force where the file is. What somebody has written there since the last one is kept. `own` and
    /// `name` are those of this host.
    ///
    /// # Errors
    ///
    /// If that is not possible; it can be tried again.
    pub(super) fn place(&mut self, own: u8, name: &str) -> io::Result<()> {
        let Some(current) = self.state.current.clone() else {
            return Ok(());
        };
        let text = self.text(&current)?;
        let found = self.disk.read(&self.file)?;
        let mut state = self.state.clone();
        if found.as_deref() != Some(&text) {
            if let Some(found) = found {
                self.keep_found(&mut state, &found, own, name)?;
            }
            let next = self.next_file();
            if self.disk.read(&next).ok().flatten().as_deref() != Some(&text) {
                let mode = self.disk.mode(&self.file)?.unwrap_or(FILE);
                self.disk.write(&next, &text, mode)?;
            }
            self.disk.rename(&next, &self.file)?;
            if let Some(directory) = self.file.parent() {
                self.disk.sync(directory)?;
            }
        }
        state.placed = Some(current);
        self.save(state)?;
        self.tidy();
        Ok(())
    }

    /// Keeps what stands in the file, if it is no version that is known.
    fn keep_found(
        &mut self,
        state: &mut State,
        found: &str,
        own: u8,
        name: &str,
    ) -> io::Result<()> {
        let digest = Digest::of(found);
        if state.history.iter().any(|known| known.digest == digest) {
            return Ok(());
        }
        if state.placed.is_none() {
            // Before the first version: it can be brought back as any.
            self.keep(found)?;
            let changed = self.file.metadata().and_then(|it| it.modified()).ok();
            let since = changed.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            state.note(&Version {
                number: 0,
                digest,
                origin: own,
                host: name.into(),
                time: since.map_or(0, |since| since.as_secs()),
                note: Some("what this host had before".into()),
            });
            return Ok(());
        }
        let number = state.placed.as_ref().map_or(0, |it| it.number);
        let digest = digest.to_string();
        let name = format!("edited-after-{number}-{}.toml", &digest[..12]);
        let aside = self.directory.join(name);
        self.disk.write(&aside, found, OWN)?;
        self.disk.sync(&self.directory)?;
        log!(
            "{}: it was edited here, and the cluster has another version now: what stood there is kept as {}",
            self.file.display(),
            aside.display()
        );
        Ok(())
    }

    /// Notes that the host was made what a version says.
    ///
    /// # Errors
    ///
    /// If that cannot be written.
    pub(super) fn followed(&mut self, version: Version) -> io::Result<()> {
        let state = State {
            followed: Some(version),
            ..self.state.clone()
        };
        self.save(state)
    }

    /// The file beside the version in force.
    pub(super) fn file_state(&mut self) -> FileState {
        let Ok(Some(text)) = self.disk.read(&self.file) else {
            return FileState::Missing;
        };
        match &self.state.placed {
            Some(placed) if placed.digest != Digest::of(&text) => FileState::Edited,
            _ => FileState::Same,
        }
    }

    fn path_of(&self, digest: &Digest) -> PathBuf {
        self.directory.join(format!("{digest}.toml"))
    }

    /// Where the file is written before it gets its name; no file of a cluster is called so.
    fn next_file(&self) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(self.file.file_name().unwrap_or_default());
        name.push(".next");
        self.file.with_file_name(name)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, fs};

    use nlbadm::replica::{Reply, Staged, Step};
    use tempfile::TempDir;

    use super::{super::disk::Real, *};

    /// A disk that fails from one step on, as if the power were gone, or writes nothing more.
    #[derive(Debug)]
    struct Failing {
        left: Cell<u32>,
        /// Only writing fails, as on a full disk.
        full: bool,
    }

    impl Failing {
        fn step(&self, writes: bool) -> io::Result<()> {
            if self.full && !writes {
                return Ok(());
            }
            match self.left.get() {
                0 => Err(io::ErrorKind::StorageFull.into()),
                left => {
                    self.left.set(left - 1);
                    Ok(())
                }
            }
        }
    }

    impl Disk for Failing {
        fn read(&mut self, path: &Path) -> io::Result<Option<String>> {
            Real.read(path)
        }
        fn write(&mut self, path: &Path, text: &str, mode: u32) -> io::Result<()> {
            if let Err(error) = self.step(true) {
                // Something of it may be there.
                let _ = Real.write(path, &text[..text.len() / 2], mode);
                return Err(error);
            }
            Real.write(path, text, mode)
        }
        fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
            self.step(false)?;
            Real.rename(from, to)
        }
        fn remove(&mut self, path: &Path) -> io::Result<()> {
            self.step(false)?;
            Real.remove(path)
        }
        fn sync(&mut self, directory: &Path) -> io::Result<()> {
            self.step(false)?;
            Real.sync(directory)
        }
        fn mode(&mut self, path: &Path) -> io::Result<Option<u32>> {
            Real.mode(path)
        }
    }

    impl Store {
        /// Does what a request leads to.
        fn step(&mut self, ask: &Ask) -> io::Result<Reply> {
            match self.state.step(ask) {
                Step::Stays(reply) => Ok(reply),
                Step::Becomes { state, text, reply } => {
                    self.write_down(ask, *state, text.as_deref())?;
                    Ok(reply)
                }
            }
        }
    }

    fn version(number: u64, text: &str) -> Version {
        Version {
            number,
            digest: Digest::of(text),
            origin: 2,
            host: "b".into(),
            time: 1,
            note: None,
        }
    }

    fn stage(number: u64, base: Option<Version>, text: &str) -> Ask {
        Ask::Stage {
            change: Staged {
                version: version(number, text),
                base,
                hosts: vec![1, 2],
            },
            text: text.into(),
        }
    }

    fn open(folder: &TempDir, disk: impl Disk + 'static) -> Store {
        let directory = folder.path().join("state");
        fs::create_dir_all(&directory).unwrap();
        Store::open(Box::new(disk), &directory, &folder.path().join("web.toml")).unwrap()
    }

    fn file(folder: &TempDir) -> String {
        fs::read_to_string(folder.path().join("web.toml")).unwrap()
    }

    /// What was edited after version 1.
    fn kept(folder: &TempDir) -> String {
        let name = format!(
            "edited-after-1-{}.toml",
            &Digest::of("edited").to_string()[..12]
        );
        fs::read_to_string(folder.path().join("state").join(name)).unwrap()
    }

    /// A host with version 1 in force.
    fn first() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("web.toml"), "zero").unwrap();
        let mut store = open(&folder, Real);
        assert_eq!(store.step(&stage(1, None, "one")).unwrap(), Reply::Done);
        assert_eq!(file(&folder), "zero");
        store.step(&Ask::Commit(version(1, "one"))).unwrap();
        store.place(1, "a").unwrap();
        assert_eq!(
            (file(&folder).as_str(), store.file_state()),
            ("one", FileState::Same)
        );
        folder
    }

    #[test]
    fn what_was_there_before_is_version_zero() {
        let folder = first();
        let mut store = open(&folder, Real);
        let zero = store.state().find(Some(0)).unwrap().clone();
        assert_eq!(store.text(&zero).unwrap(), "zero");
        assert_eq!(zero.host, "a");
    }

    #[test]
    fn a_power_cut_at_any_step_leaves_the_old_or_the_new() {
        let mut ends = Vec::new();
        for steps in 0.. {
            let folder = first();
            let disk = Failing {
                left: Cell::new(steps),
                full: false,
            };
            let mut store = open(&folder, disk);
            let base = Some(version(1, "one"));
            let told = store.step(&stage(2, base, "two")).is_ok();
            let committed = told && store.step(&Ask::Commit(version(2, "two"))).is_ok();
            let placed = committed && store.place(1, "a").is_ok();
            drop(store);
            assert!(
                ["one", "two"].contains(&&*file(&folder)),
                "after {steps} steps"
            );
            // It starts again.
            let mut store = open(&folder, Real);
            let state = store.state().clone();
            let current = state.current.clone().unwrap();
            assert!(
                !told || state.staged.is_some() || current.number == 2,
                "a promise was forgotten"
            );
            assert!(!committed || current.number == 2, "after {steps} steps");
            if state.staged.is_some() {
                store.step(&Ask::Commit(version(2, "two"))).unwrap();
            }
            if store.has_to_place() {
                store.place(1, "a").unwrap();
            }
            let current = store.state().current.clone().unwrap();
            assert_eq!(store.text(&current).unwrap(), file(&folder));
            ends.push(current.number);
            if placed {
                break;
            }
        }
        assert!(ends.contains(&1) && ends.last() == Some(&2), "{ends:?}");
        assert!(ends.len() > 10, "there are steps: {ends:?}");
    }

    #[test]
    fn a_full_disk_refuses_a_change_or_does_not_matter() {
        for writes in 0.. {
            let folder = first();
            let disk = Failing {
                left: Cell::new(writes),
                full: true,
            };
            let mut store = open(&folder, disk);
            let before = store.state().clone();
            match store.step(&stage(2, Some(version(1, "one")), "two")) {
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
                    assert_eq!(store.state(), &before);
                    assert_eq!(file(&folder), "one");
                }
                // What was promised is kept, though nothing more can be written.
                Ok(_) => {
                    assert_eq!(
                        store.step(&Ask::Commit(version(2, "two"))).unwrap(),
                        Reply::Done
                    );
                    let _ = store.place(1, "a");
                    assert_eq!(file(&folder), "two");
                    return;
                }
            }
        }
    }

    #[test]
    fn what_was_edited_meanwhile_is_kept() {
        let folder = first();
        fs::write(folder.path().join("web.toml"), "edited").unwrap();
        let mut store = open(&folder, Real);
        assert_eq!(store.file_state(), FileState::Edited);
        let taken = Ask::Take {
            version: version(5, "five"),
            text: "five".into(),
        };
        store.step(&taken).unwrap();
        store.place(1, "a").unwrap();
        assert_eq!(
            (file(&folder).as_str(), store.file_state()),
            ("five", FileState::Same)
        );
        assert_eq!(kept(&folder), "edited");
    }

    #[test]
    fn an_edited_file_goes_when_the_version_is_wanted_again() {
        let folder = first();
        let one = version(1, "one");
        let mut store = open(&folder, Real);
        store.followed(one.clone()).unwrap();
        fs::write(folder.path().join("web.toml"), "edited").unwrap();
        assert!(!store.has_to_place());
        store.step(&Ask::Again(one)).unwrap();
        assert!(store.has_to_place());
        store.place(1, "a").unwrap();
        assert_eq!(file(&folder), "one");
        assert_eq!(kept(&folder), "edited");
    }

    #[test]
    fn where_hosts_are_is_known_after_a_start() {
        let folder = first();
        let addresses: Addresses = [(2, vec![[192, 0, 2, 2].into()])].into();
        open(&folder, Real).note_addresses(addresses.clone());
        assert_eq!(open(&folder, Real).addresses(), &addresses);
    }

    #[test]
    fn a_state_that_cannot_be_read_is_kept_and_begun_anew() {
        let folder = first();
        let path = folder.path().join("state/state.json");
        fs::write(&path, "{").unwrap();
        let store = open(&folder, Real);
        assert_eq!(store.state(), &State::default());
        assert_eq!(
            fs::read_to_string(path.with_extension("json.bad")).unwrap(),
            "{"
        );
    }

    #[test]
    fn contents_of_withdrawn_changes_go_and_the_mode_stays() {
        let folder = first();
        let path = folder.path().join("web.toml");
        std::os::unix::fs::PermissionsExt::set_mode(
            &mut fs::metadata(&path).unwrap().permissions(),
            0o640,
        );
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        let mut store = open(&folder, Real);
        store
            .step(&stage(2, Some(version(1, "one")), "two"))
            .unwrap();
        store.step(&Ask::Withdraw(version(2, "two"))).unwrap();
        assert!(store.text(&version(2, "two")).is_err());
        assert!(!folder.path().join(".web.toml.next").exists());
        store
            .step(&stage(2, Some(version(1, "one")), "three"))
            .unwrap();
        store.step(&Ask::Commit(version(2, "three"))).unwrap();
        store.place(1, "a").unwrap();
        assert_eq!(Real.mode(&path).unwrap(), Some(0o640));
    }
}
