//! README's table of options is what clap knows. `UPDATE=1` rewrites it.

use std::env;
use std::fs;
use std::path::Path;

use clap::{Arg, CommandFactory};
use respg::config::Config;

const BEGIN: &str = "<!-- options:begin -->\n";
const END: &str = "<!-- options:end -->";

fn table() -> String {
    let command = Config::command();
    let mut text = String::new();
    let mut heading = None;
    for option in command.get_arguments().filter(|option| option.get_env().is_some()) {
        if option.get_help_heading() != heading {
            heading = option.get_help_heading();
            let name = heading.expect("every option is under a heading");
            text += &format!(
                "\n**{name}**\n\n| option | environment variable | default | meaning |\n|---|---|---|---|\n"
            );
        }
        text += &row(option);
    }
    format!("{}\n", text.trim_start())
}

fn row(option: &Arg) -> String {
    let name = option.get_long().expect("every option has a long name");
    let value = option.get_value_names().map_or("", |names| names[0].as_str());
    let variable = option.get_env().and_then(|name| name.to_str()).expect("every option has a variable");
    let help =
        option.get_long_help().or(option.get_help()).expect("every option says what it is for").to_string();
    let mut help = help.replace("\n\n", ". ").replace('\n', " ");
    // A default that depends on the machine is told in the help.
    let told = help
        .rsplit_once(" [default: ")
        .map(|(help, default)| (help.to_owned(), default.trim_end_matches(']').to_owned()));
    let mut default = option
        .get_default_values()
        .iter()
        .map(|value| value.to_str().expect("text"))
        .collect::<Vec<_>>()
        .join(" ");
    if !default.is_empty() {
        default = format!("`{default}`");
    }
    if let Some((rest, told)) = told {
        (help, default) = (rest, told);
    }
    let escape = |text: &str| text.replace('|', "\\|");
    format!("| `--{name} {}` | `{variable}` | {} | {} |\n", escape(value), escape(&default), escape(&help))
}

#[test]
fn the_readme_has_all_options() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (present, after) = rest.split_once(END).unwrap();
    let table = table();
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(present, table, "README's options are out of date: UPDATE=1 cargo test --test it options");
    }
}
