//! Rules about dependencies.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Facts, verdict};

/// SEC10: what a user of the engine takes on, the engine itself included.
const CRATES_MAX: usize = 30;
/// The stack that was decided on.
const WANTED: &[&str] = &["dashmap", "crossbeam", "parking_lot", "thiserror"];
/// I/O, runtimes and formats, as a name or its first part.
const UNWANTED: &[&str] = &["tokio", "serde", "hyper", "redis", "postgres", "socket2", "mio"];

/// `dashmap v6.2.1 (*)` is `dashmap v6.2.1`; each crate once.
pub(super) fn crates_of_tree(lines: &[String]) -> Vec<String> {
    let name = |line: &String| {
        let mut words = line.split_whitespace();
        let (name, version) = (words.next()?, words.next().filter(|word| word.starts_with('v'))?);
        Some(format!("{name} {version}"))
    };
    lines.iter().filter_map(name).collect::<BTreeSet<_>>().into_iter().collect()
}

pub(super) fn small_default_tree(facts: &Facts) -> Result<String, Vec<String>> {
    let names: BTreeSet<&str> = facts.tree.iter().filter_map(|krate| krate.split(' ').next()).collect();
    let mut broken = Vec::new();
    if facts.tree.len() > CRATES_MAX {
        broken.push(format!("{} crates, at most {CRATES_MAX}: {}", facts.tree.len(), facts.tree.join(", ")));
    }
    broken.extend(WANTED.iter().filter(|name| !names.contains(*name)).map(|name| format!("{name} is not in it")));
    let unwanted = |name: &&&str| {
        UNWANTED
            .iter()
            .any(|bad| name.strip_prefix(bad).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_'])))
    };
    broken.extend(names.iter().filter(unwanted).map(|name| format!("{name} is in it")));
    verdict(format!("{} crates", facts.tree.len()), broken)
}

/// A package of this workspace.
struct Member<'a> {
    name: &'a str,
    published: bool,
    dependencies: Vec<Dependency<'a>>,
}

struct Dependency<'a> {
    name: &'a str,
    development: bool,
}

fn members(metadata: &Value) -> BTreeMap<&str, Member<'_>> {
    let workspace: BTreeSet<&str> = strings(&metadata["workspace_members"]).collect();
    let ours = list(&metadata["packages"]).filter(|package| workspace.contains(text(&package["id"])));
    let member = |package| {
        let package: &Value = package;
        let dependencies = list(&package["dependencies"])
            .map(|d| Dependency { name: text(&d["name"]), development: d["kind"] == "dev" })
            .collect();
        // `publish` is null when it may go anywhere, and an empty list when it may not.
        let published = package["publish"].as_array().is_none_or(|registries| !registries.is_empty());
        Member { name: text(&package["name"]), published, dependencies }
    };
    ours.map(member).map(|member| (member.name, member)).collect()
}

pub(super) fn published_on_published(facts: &Facts) -> Result<String, Vec<String>> {
    let members = members(&facts.metadata);
    let published: Vec<&Member<'_>> = members.values().filter(|member| member.published).collect();
    let mut broken = Vec::new();
    if published.is_empty() {
        broken.push("no published crate was found".into());
    }
    for member in &published {
        let uses = member.dependencies.iter().filter_map(|dependency| members.get(dependency.name));
        let unpublished = uses.filter(|used| !used.published);
        broken.extend(unpublished.map(|used| format!("{} depends on {}", member.name, used.name)));
    }
    verdict(published.iter().map(|member| member.name).collect::<Vec<_>>().join(", "), broken)
}

pub(super) fn testkit_is_dev_only(facts: &Facts) -> Result<String, Vec<String>> {
    let members = members(&facts.metadata);
    let Some(engine) = members.get("earmark") else {
        return Err(vec!["earmark was not found".into()]);
    };
    let testkit = engine.dependencies.iter().filter(|dependency| dependency.name == "earmark-testkit");
    let broken = testkit.filter(|dependency| !dependency.development).map(|_| "earmark needs it to build".to_string());
    verdict("so it is", broken.collect())
}

/// Walks from the published crates along what a user has to build, every feature on. Models are not
/// built by users, so what only `cfg(earmark_loom)` brings in is left out.
pub(super) fn msrv(facts: &Facts) -> Result<String, Vec<String>> {
    let metadata = &facts.metadata;
    let published: BTreeSet<&str> =
        members(metadata).values().filter(|member| member.published).map(|member| member.name).collect();
    let packages: BTreeMap<&str, &Value> = list(&metadata["packages"]).map(|p| (text(&p["id"]), p)).collect();
    let nodes: BTreeMap<&str, &Value> = list(&metadata["resolve"]["nodes"]).map(|n| (text(&n["id"]), n)).collect();
    let workspace: BTreeSet<&str> = strings(&metadata["workspace_members"]).collect();
    let mut open: Vec<&str> = workspace
        .iter()
        .filter(|id| packages.get(*id).is_some_and(|p| published.contains(text(&p["name"]))))
        .copied()
        .collect();
    let Some(ours) = open.first().and_then(|id| version(&packages[id]["rust_version"])) else {
        return Err(vec!["no published crate declares a rust-version".into()]);
    };
    let mut known: BTreeSet<&str> = open.iter().copied().collect();
    while let Some(id) = open.pop() {
        for edge in list(&nodes.get(id).unwrap_or(&&Value::Null)["deps"]) {
            let built =
                |kind: &Value| kind["kind"] != "dev" && !kind["target"].as_str().unwrap_or("").contains("earmark_loom");
            if list(&edge["dep_kinds"]).any(built) && known.insert(text(&edge["pkg"])) {
                open.push(text(&edge["pkg"]));
            }
        }
    }
    let newer = known.iter().filter_map(|id| packages.get(id)).filter(|p| version(&p["rust_version"]) > Some(ours));
    let newer =
        newer.map(|p| format!("{} {} asks for {}", text(&p["name"]), text(&p["version"]), text(&p["rust_version"])));
    verdict(format!("{}.{} for {} crates", ours.0, ours.1, known.len()), newer.collect())
}

fn version(value: &Value) -> Option<(u64, u64)> {
    let mut parts = value.as_str()?.split('.').map(|part| part.parse::<u64>().ok());
    Some((parts.next()??, parts.next()??))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    list(value).filter_map(Value::as_str)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tree(lines: &[&str]) -> Facts {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        Facts { tree: crates_of_tree(&lines), ..Facts::default() }
    }

    const GOOD: &[&str] = &[
        "earmark v0.1.0 (/x)",
        "crossbeam v0.8.5",
        "dashmap v6.2.1",
        "parking_lot v0.12.5",
        "crossbeam v0.8.5 (*)",
        "thiserror v2.0.21",
    ];

    #[test]
    fn the_tree_counts_each_crate_once() {
        assert_eq!(tree(GOOD).tree.len(), 5);
        assert_eq!(small_default_tree(&tree(GOOD)), Ok("5 crates".into()));
    }

    #[test]
    fn a_runtime_a_missing_choice_and_too_many_crates_are_found() {
        let found = |lines: &[&str]| small_default_tree(&tree(lines)).unwrap_err().join("; ");
        for name in ["tokio", "tokio-postgres", "serde", "serde_core", "redis", "mio", "socket2"] {
            let line = format!("{name} v1.0.0");
            let bad = [GOOD, &[line.as_str()]].concat();
            assert_eq!(found(&bad), format!("{name} is in it"));
        }
        assert_eq!(found(&GOOD[..5]), "thiserror is not in it");
        let many: Vec<String> = (0..26).map(|n| format!("filler{n} v1.0.0")).collect();
        let many: Vec<&str> = GOOD.iter().copied().chain(many.iter().map(String::as_str)).collect();
        assert!(found(&many).starts_with("31 crates, at most 30"));
    }

    /// Two members and a dependency; each test breaks one thing.
    fn workspace() -> Value {
        json!({
            "workspace_members": ["e", "t", "x"],
            "packages": [
                {"id": "e", "name": "earmark", "version": "0.1.0", "publish": null, "rust_version": "1.88",
                 "dependencies": [{"name": "dashmap", "kind": null}, {"name": "earmark-testkit", "kind": "dev"}]},
                {"id": "t", "name": "earmark-testkit", "version": "0.1.0", "publish": null, "rust_version": "1.88", "dependencies": []},
                {"id": "x", "name": "xtask", "version": "0.1.0", "publish": [], "rust_version": "1.88", "dependencies": [{"name": "new", "kind": null}]},
                {"id": "d", "name": "dashmap", "version": "6.2.1", "publish": null, "rust_version": "1.65", "dependencies": []},
                {"id": "n", "name": "new", "version": "1.0.0", "publish": null, "rust_version": "1.95", "dependencies": []}
            ],
            "resolve": {"nodes": [
                {"id": "e", "deps": [{"pkg": "d", "dep_kinds": [{"kind": null, "target": null}]},
                                     {"pkg": "n", "dep_kinds": [{"kind": "dev", "target": null}, {"kind": null, "target": "cfg(earmark_loom)"}]}]},
                {"id": "t", "deps": []}, {"id": "d", "deps": []}, {"id": "n", "deps": []},
                {"id": "x", "deps": [{"pkg": "n", "dep_kinds": [{"kind": null, "target": null}]}]}
            ]}
        })
    }

    fn facts(metadata: Value) -> Facts {
        Facts { metadata, ..Facts::default() }
    }

    #[test]
    fn a_good_workspace_passes() {
        assert_eq!(published_on_published(&facts(workspace())), Ok("earmark, earmark-testkit".into()));
        assert!(testkit_is_dev_only(&facts(workspace())).is_ok());
        assert_eq!(msrv(&facts(workspace())), Ok("1.88 for 3 crates".into()));
    }

    #[test]
    fn a_published_crate_on_an_unpublished_one_is_found() {
        let mut bad = workspace();
        bad["packages"][1]["publish"] = json!([]);
        assert_eq!(published_on_published(&facts(bad)).unwrap_err(), ["earmark depends on earmark-testkit"]);
    }

    #[test]
    fn the_testkit_as_a_normal_dependency_is_found() {
        let mut bad = workspace();
        bad["packages"][0]["dependencies"][1]["kind"] = Value::Null;
        assert!(testkit_is_dev_only(&facts(bad)).is_err());
    }

    #[test]
    fn a_dependency_that_needs_a_newer_compiler_is_found() {
        let mut bad = workspace();
        bad["packages"][3]["rust_version"] = json!("1.89.1");
        assert_eq!(msrv(&facts(bad)).unwrap_err(), ["dashmap 6.2.1 asks for 1.89.1"]);
    }
}
