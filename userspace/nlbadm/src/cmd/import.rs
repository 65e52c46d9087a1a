// SPDX-License-Identifier: GPL-2.0-only

//! `nlbadm import`: the file of a cluster from another system's configuration. It needs neither the kernel nor permissions.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::Path,
};

use crate::{
    cli::Import,
    failure::{Exit, Failure},
    import::{self, Draft, Kind},
    output::import::{Imported, Imports},
    warn,
};

/// Longest text, in bytes: what Windows' `nlb display` prints of many hosts has some hundred KiB.
const TEXT_MAX: u64 = 2 * 1024 * 1024;

/// Makes the files, and tells on the error output what the operator has to know. The second half is a failure if there
/// were words that were not understood: the files are made all the same.
pub(crate) fn run(args: &Import) -> Result<(Imports, Result<(), Failure>), Failure> {
    let name = match args.file.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => args.file.display().to_string(),
    };
    let wrong = |why: String| Failure::usage(format!("{name}: {why}"));
    let text = import::decode(&bytes(&args.file, &name)?).map_err(wrong)?;
    let format = match args.from {
        Some(format) => format,
        None => import::guess(&text).map_err(wrong)?,
    };
    let drafts = import::read(format, &text).map_err(wrong)?;
    let drafts = chosen(drafts, args).map_err(wrong)?;
    let mut imports = Vec::new();
    let mut unknown = 0;
    for draft in &drafts {
        let (file, notes) = import::write(draft, format, &name);
        for note in &notes {
            let what = match note.kind {
                Kind::NotUnderstood => "not understood",
                Kind::Decide => "to decide",
                // The file tells them; there are many.
                Kind::Differs | Kind::NoCounterpart => continue,
            };
            warn(Some(format!(
                "{name}: {}{what}: {}",
                note.place(),
                note.text
            )));
        }
        unknown += notes
            .iter()
            .filter(|note| note.kind == Kind::NotUnderstood)
            .count();
        imports.push(Imported {
            from: format.name(),
            cluster: draft.name.clone(),
            path: None,
            notes,
            file,
        });
    }
    if let Some(directory) = &args.directory {
        save(directory, &mut imports)?;
    }
    let end = match unknown {
        0 => Ok(()),
        _ => Err(Failure::new(
            Exit::Unwell,
            format!("{name}: not all of it was understood; the file says what is left out"),
        )),
    };
    Ok((Imports(imports), end))
}

fn bytes(path: &Path, name: &str) -> Result<Vec<u8>, Failure> {
    let input: io::Result<Box<dyn Read>> = if path.as_os_str() == "-" {
        Ok(Box::new(io::stdin()))
    } else {
        File::open(path).map(|file| Box::new(file) as Box<dyn Read>)
    };
    let mut bytes = Vec::new();
    input
        .and_then(|input| input.take(TEXT_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| Failure::usage(format!("{name} cannot be read: {error}")))?;
    if bytes.len() as u64 > TEXT_MAX {
        return Err(Failure::usage(format!(
            "{name} has more than {} MiB: is it another file?",
            TEXT_MAX / 1024 / 1024
        )));
    }
    Ok(bytes)
}

/// The clusters that are to be written: all, or the one that is named, or the only one.
fn chosen(drafts: Vec<Draft>, args: &Import) -> Result<Vec<Draft>, String> {
    let (mut drafts, without): (Vec<_>, Vec<_>) =
        drafts.into_iter().partition(|draft| !draft.vips.is_empty());
    if drafts.is_empty() {
        return Err(no_cluster(&without));
    }
    for index in 1..drafts.len() {
        // Each gets a file of its own.
        let (before, rest) = drafts.split_at_mut(index);
        if before.iter().any(|it| it.name == rest[0].name) {
            rest[0].rename(&format!("{}-{}", rest[0].name, index + 1));
        }
    }
    if args.directory.is_some() {
        return Ok(drafts);
    }
    let names: Vec<_> = drafts
        .iter()
        .map(|draft| match &draft.interface {
            Some(interface) => format!("{} ({interface})", draft.name),
            None => draft.name.clone(),
        })
        .collect();
    let count = drafts.len();
    if let Some(name) = &args.cluster {
        drafts.retain(|draft| draft.name == *name);
    }
    match drafts.len() {
        1 => Ok(drafts),
        0 => Err(format!(
            "there is no cluster of that name in it, but {}",
            names.join(", ")
        )),
        _ => Err(format!(
            "there are {count} clusters in it, one for each interface: choose with --cluster, or write all with --directory: {}",
            names.join(", ")
        )),
    }
}

/// Why there is nothing to write.
fn no_cluster(drafts: &[Draft]) -> String {
    let notes = drafts.iter().flat_map(|draft| draft.notes.sorted());
    let first = notes
        .into_iter()
        .find(|note| note.kind == Kind::NotUnderstood);
    let because = first.map_or_else(String::new, |note| {
        format!(" ({}{})", note.place(), note.text)
    });
    format!(
        "no virtual address is in it{because}: no IPaddr2 resource, no VRRP instance or virtual server, no cluster of Windows; \
         is it another file, or is --from another system?"
    )
}

/// Writes each cluster to a file of its name: all of them, or none.
fn save(directory: &Path, imports: &mut [Imported]) -> Result<(), Failure> {
    let paths: Vec<_> = imports
        .iter()
        .map(|it| directory.join(format!("{}.toml", it.cluster)))
        .collect();
    for (index, (path, import)) in paths.iter().zip(imports.iter_mut()).enumerate() {
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .and_then(|mut file| file.write_all(import.file.as_bytes()));
        if let Err(error) = written {
            let exists = error.kind() == io::ErrorKind::AlreadyExists;
            // What this run has written goes again, the half of this one too.
            let done = if exists { index } else { index + 1 };
            for path in &paths[..done] {
                let _ = std::fs::remove_file(path);
            }
            let exit = if exists { Exit::Exists } else { Exit::Failed };
            return Err(Failure::new(
                exit,
                format!("{}: {error}; nothing was written", path.display()),
            ));
        }
        import.path = Some(path.display().to_string());
    }
    Ok(())
}
