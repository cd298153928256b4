//! The names of Python things that weight files refer to. None of them is ever run: they only say
//! what the values beside them are.

/// Where something lives in Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    pub module: &'a str,
    pub name: &'a str,
}

impl Name<'_> {
    /// Whether files of weights and label vectors are known to refer to this.
    pub fn is_known(&self) -> bool {
        match self.module {
            "torch" => self.is_storage_type() || matches!(self.name, "Size" | "device"),
            "collections" => matches!(self.name, "OrderedDict" | "defaultdict" | "Counter"),
            "argparse" => self.name == "Namespace",
            "builtins" | "__builtin__" => matches!(self.name, "int" | "float" | "set" | "list"),
            "_codecs" => self.name == "encode",
            "torch._utils" => matches!(
                self.name,
                "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_parameter"
            ),
            _ => self.is_numpy(),
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

    fn is_storage_type(&self) -> bool {
        crate::checkpoint::storage::StorageType::named(self.name).is_some()
    }
}

impl std::fmt::Display for Name<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.module, self.name)
    }
}
