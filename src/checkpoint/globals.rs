//! The names of Python things that weight files refer to. None of them is ever run: they only say
//! what the values beside them are.

/// Modules that run programs, write files or talk to others.
const ACTING_MODULES: [&str; 19] = [
    "_posixsubprocess",
    "asyncio",
    "code",
    "commands",
    "ctypes",
    "http",
    "importlib",
    "nt",
    "os",
    "pdb",
    "pip",
    "posix",
    "pty",
    "runpy",
    "shutil",
    "socket",
    "subprocess",
    "sys",
    "webbrowser",
];
const ACTING_BUILTINS: [&str; 9] = [
    "__import__",
    "apply",
    "breakpoint",
    "compile",
    "eval",
    "exec",
    "execfile",
    "input",
    "open",
];

/// Where something lives in Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    pub module: &'a str,
    pub name: &'a str,
}

impl Name<'_> {
    /// Whether this acts on the computer when Python calls it: no file of weights needs it, so one
    /// that has it is not to be trusted.
    pub fn acts(&self) -> bool {
        let root = self.module.split('.').next().unwrap_or_default();
        match root {
            "builtins" | "__builtin__" => ACTING_BUILTINS.contains(&self.name),
            "torch" => self.to_string().starts_with("torch.hub."),
            root => ACTING_MODULES.contains(&root),
        }
    }

    /// Whether this is `name` of numpy, whose modules moved with its version 2.
    pub fn is_numpys(&self, name: &str) -> bool {
        self.name == name && self.is_numpy()
    }

    fn is_numpy(&self) -> bool {
        let inner = self.module.strip_prefix("numpy").map(|rest| {
            let core = rest.strip_prefix(".core").or(rest.strip_prefix("._core"));
            core.unwrap_or(rest)
        });
        match inner {
            Some("") => matches!(self.name, "ndarray" | "dtype"),
            Some(".multiarray") => matches!(self.name, "_reconstruct" | "scalar"),
            Some(".numeric") => self.name == "_frombuffer",
            _ => false,
        }
    }
}

impl std::fmt::Display for Name<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.module, self.name)
    }
}
