//! Arguments with places to be filled in.

use std::{
    ffi::{OsStr, OsString},
    fmt,
};

/// An argument: text, and placeholders between it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name(Name),
}

/// What a placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    Input,
    LastPart,
    Stem,
    Folder,
    Output,
    Id,
    Job,
    Attempt,
    Fence,
    Key,
}

/// Each placeholder, what it stands for, and whether that is something of an input.
const NAMES: &[(&str, Name)] = &[
    ("input", Name::Input),
    ("", Name::Input),
    ("name", Name::LastPart),
    ("stem", Name::Stem),
    ("dir", Name::Folder),
    ("output", Name::Output),
    ("id", Name::Id),
    ("job", Name::Job),
    ("attempt", Name::Attempt),
    ("fence", Name::Fence),
    ("key", Name::Key),
];

/// What a chunk has to fill in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    pub(super) inputs: usize,
    pub(super) has_output: bool,
}

/// What is wrong with an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TemplateProblem {
    /// No placeholder is called so.
    Unknown(String),
    /// A brace without the other one.
    LoneBrace(char),
    /// The chunk has nothing that could be filled in.
    Nothing(Name),
    /// The chunk has more than one thing that could be filled in.
    Several(Name),
}

impl Template {
    /// Reads an argument. `{name}` is a placeholder, `{{` and `}}` are braces.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateProblem> {
        let (mut pieces, mut plain) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some((before, brace, behind)) = split_at_brace(rest) {
            plain.push_str(before);
            if let Some(behind) = behind.strip_prefix(brace) {
                plain.push(brace);
                rest = behind;
                continue;
            }
            let (name, behind) = behind.split_once('}').filter(|_| brace == '{').ok_or(TemplateProblem::LoneBrace(brace))?;
            let known = NAMES.iter().find(|(known, _)| *known == name);
            let (_, name) = known.ok_or_else(|| TemplateProblem::Unknown(name.to_owned()))?;
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Name(*name));
            rest = behind;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    /// Whether it is nothing but the input.
    pub(super) fn is_input(&self) -> bool {
        self.0 == [Piece::Name(Name::Input)]
    }

    /// Whether something of an input is filled in.
    pub(crate) fn has_input(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Name(name) if name.is_of_input()))
    }

    /// Refuses placeholders for which there is nothing to fill in.
    pub(super) fn check(&self, names: Names) -> Result<(), TemplateProblem> {
        for piece in &self.0 {
            match piece {
                Piece::Name(name) if name.is_of_input() && names.inputs == 0 => return Err(TemplateProblem::Nothing(*name)),
                Piece::Name(name) if name.is_of_input() && names.inputs > 1 => return Err(TemplateProblem::Several(*name)),
                Piece::Name(Name::Output) if !names.has_output => return Err(TemplateProblem::Nothing(Name::Output)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The argument with everything filled in.
    pub(super) fn fill<'a>(&self, value_of: impl Fn(Name) -> std::borrow::Cow<'a, OsStr>) -> OsString {
        let mut filled = OsString::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push(text),
                Piece::Name(name) => filled.push(value_of(*name)),
            }
        }
        filled
    }
}

impl Name {
    fn is_of_input(self) -> bool {
        matches!(self, Self::Input | Self::LastPart | Self::Stem | Self::Folder)
    }
}

/// The text before the first brace, the brace, and what is behind it.
fn split_at_brace(text: &str) -> Option<(&str, char, &str)> {
    let at = text.find(['{', '}'])?;
    let (before, behind) = text.split_at_checked(at)?;
    let brace = behind.chars().next()?;
    Some((before, brace, behind.get(1..)?))
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = NAMES.iter().find(|(_, name)| name == self).map_or("", |(text, _)| text);
        write!(f, "`{{{text}}}`")
    }
}

impl fmt::Display for TemplateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(f, "unknown placeholder `{{{name}}}`; known are")?;
                for (index, (name, _)) in NAMES.iter().filter(|(name, _)| !name.is_empty()).enumerate() {
                    write!(f, "{} {{{name}}}", if index == 0 { "" } else { "," })?;
                }
                f.write_str("; write {{ and }} for braces")
            }
            Self::LoneBrace(brace) => write!(f, "a `{brace}` stands alone; write {brace}{brace} for a brace"),
            Self::Nothing(Name::Output) => f.write_str("`{output}` stands for the chunk's output, and it has none"),
            Self::Nothing(name) => write!(f, "{name} stands for the chunk's input, and it has none"),
            Self::Several(name) => {
                write!(
                    f,
                    "{name} stands for one input, and the chunk has several; {{input}} as an argument of its own becomes all"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> String {
        let value = |name: Name| OsString::from(format!("<{name:?}>")).into();
        Template::parse(text).unwrap().fill(value).into_string().unwrap()
    }

    #[test]
    fn placeholders_are_filled_in_and_doubled_braces_are_braces() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("{input}", "<Input>"),
            ("{}", "<Input>"),
            ("a{stem}.{id}z", "a<Stem>.<Id>z"),
            ("{{input}}", "{input}"),
            ("{{{id}}}", "{<Id>}"),
            ("{{}}", "{}"),
            ("ü{key}ß", "ü<Key>ß"),
        ] {
            assert_eq!(filled(text), expected, "{text}");
        }
    }

    #[test]
    fn braces_that_mean_nothing_are_refused() {
        let check = |text: &str, expected: TemplateProblem| assert_eq!(Template::parse(text), Err(expected), "{text}");
        check("{inptu}", TemplateProblem::Unknown("inptu".to_owned()));
        check("{ input }", TemplateProblem::Unknown(" input ".to_owned()));
        check("a{", TemplateProblem::LoneBrace('{'));
        check("a}b", TemplateProblem::LoneBrace('}'));
        check("{id", TemplateProblem::LoneBrace('{'));
    }
}
