//! Python's pickles as plain values: nothing is run, nothing is built, memory is bounded.
//!
//! Understood are the opcodes of protocols 0 to 5 that PyTorch and NumPy write (the names are those
//! of Python's `pickletools`). A call of a known thing stays an [`Value::Object`] with its arguments.
//! Values live in an arena while the pickle is read, since it may refer back to any of them; at the
//! end the one that is left becomes a tree, if it has no cycle and does not grow past all measure.

use std::borrow::Cow;

use super::globals::Name;
use super::pickle_arena::{Id, Node, refuse_large_trees, tree};
use super::pickle_reader::Reader;

/// Most values in a pickle, and in the tree that comes of it.
const MAX_VALUES: usize = 1 << 20;
/// Containers within containers.
pub(super) const MAX_DEPTH: usize = 64;
/// Longest name of a Python thing, with its module.
const MAX_NAME: usize = 500;
/// Longest text of protocol 0, which is a line and may have to be copied.
const MAX_TEXT: usize = 1 << 20;
/// The tree of a file with so many bytes may have as many times more values: what is written once
/// and meant often (a storage's type, say) is in it often.
const TREE_GROWTH: usize = 4;
/// What the tree of the smallest file may have.
const SMALL_TREE: usize = 1024;

/// A value as Python wrote it. Text and bytes are borrowed from the file.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    None,
    Bool(bool),
    Integer(i64),
    /// An integer over 64 bits, in two's complement, the lowest byte first.
    LongInteger(&'a [u8]),
    Float(f64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    /// A list, or a set.
    List(Vec<Self>),
    Tuple(Vec<Self>),
    Dict(Vec<(Self, Self)>),
    Global(Name<'a>),
    /// What the writer keeps elsewhere, by the name it gave it.
    Persistent(Box<Self>),
    /// A call of `callable`, and what was put into its result.
    Object(Box<Object<'a>>),
}

/// A call that is never made.
#[derive(Clone, Debug, PartialEq)]
pub struct Object<'a> {
    pub callable: Name<'a>,
    pub arguments: Vec<Value<'a>>,
    pub state: Value<'a>,
    /// Keys and values set afterwards, in their order.
    pub items: Vec<(Value<'a>, Value<'a>)>,
    /// What was appended afterwards.
    pub appended: Vec<Value<'a>>,
}

/// The first pickle in `bytes`, and how many bytes it takes.
///
/// # Errors
/// In one line: an early end, an opcode that weight files do not have, a global that acts on the
/// computer, cycles, too many values, nesting or text past its bound.
pub fn read(bytes: &[u8]) -> Result<(Value<'_>, usize), String> {
    let mut machine = Machine {
        reader: Reader::new(bytes),
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Vec::new(),
    };
    let root = machine.run()?;
    let used = bytes.len() - machine.reader.left();
    let limit = used
        .saturating_mul(TREE_GROWTH)
        .clamp(SMALL_TREE, MAX_VALUES);
    refuse_large_trees(&machine.nodes, root, limit)?;
    Ok((tree(&machine.nodes, root), used))
}

struct Machine<'a> {
    reader: Reader<'a>,
    nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    /// Lengths of the stack where a mark was set.
    marks: Vec<usize>,
    /// Python numbers its memo from 0 without gaps.
    memo: Vec<Id>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Id, String> {
        loop {
            let opcode = self.reader.byte()?;
            if opcode == b'.' {
                return self.pop();
            }
            if self.stack.len() > MAX_VALUES {
                return Err(too_many());
            }
            match self.number_or_text(opcode)? {
                Some(leaf) => self.push(Node::Leaf(leaf))?,
                None => self.step(opcode)?,
            }
        }
    }

    /// The value of an opcode that stands for one by itself.
    fn number_or_text(&mut self, opcode: u8) -> Result<Option<Value<'a>>, String> {
        let reader = &mut self.reader;
        Ok(Some(match opcode {
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'K' => Value::Integer(reader.number(1)? as i64),
            b'M' => Value::Integer(reader.number(2)? as i64),
            b'J' => Value::Integer(i64::from(reader.number(4)? as u32 as i32)),
            0x8a => {
                let length = reader.length(1)?;
                integer(reader.take(length)?)
            }
            0x8b => {
                let length = reader.length(4)?;
                integer(reader.take(length)?)
            }
            b'I' | b'L' => written_integer(reader.line()?)?,
            b'F' => Value::Float(written_float(reader.line()?)?),
            b'G' => Value::Float(f64::from_be_bytes(reader.array()?)),
            b'X' => Value::Text(text(reader, 4)?.into()),
            0x8c => Value::Text(text(reader, 1)?.into()),
            0x8d => Value::Text(text(reader, 8)?.into()),
            b'V' => Value::Text(reader.raw_unicode_line(MAX_TEXT)?),
            b'S' => text_or_bytes(reader.quoted_line(MAX_TEXT)?),
            b'U' => text_or_bytes(sized(reader, 1)?.into()),
            b'T' => text_or_bytes(sized(reader, 4)?.into()),
            b'C' => Value::Bytes(sized(reader, 1)?.into()),
            b'B' => Value::Bytes(sized(reader, 4)?.into()),
            0x8e | 0x96 => Value::Bytes(sized(reader, 8)?.into()),
            b'c' => Value::Global(known(reader.text_line()?, reader.text_line()?)?),
            _ => return Ok(None),
        }))
    }

    /// An opcode that works on what is there.
    fn step(&mut self, opcode: u8) -> Result<(), String> {
        match opcode {
            // Protocol and frame say nothing that is needed.
            0x80 => self.reader.take(1).map(drop),
            0x95 => self.reader.take(8).map(drop),
            b'(' => self.mark(),
            b'0' => self.pop().map(drop),
            b'1' => self.above_mark().map(drop),
            b'2' => {
                let top = self.top()?;
                self.push_id(top)
            }
            b')' => self.push(Node::Tuple(Vec::new())),
            b']' | 0x8f => self.push(Node::List(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            b't' => {
                let items = self.above_mark()?;
                self.push(Node::Tuple(items))
            }
            b'l' | 0x91 => {
                let items = self.above_mark()?;
                self.push(Node::List(items))
            }
            b'd' => {
                let items = self.above_mark()?;
                self.push(Node::Dict(even(items)?))
            }
            0x85..=0x87 => self.tuple(usize::from(opcode - 0x84)),
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])
            }
            b'e' | 0x90 => {
                let items = self.above_mark()?;
                self.append(items)
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set(vec![key, value])
            }
            b'u' => {
                let items = self.above_mark()?;
                self.set(even(items)?)
            }
            0x93 => self.stack_global(),
            b'R' | 0x81 => self.call(),
            0x92 => self.call_by_name(),
            b'b' => self.build(),
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id))
            }
            _ => self.memo_step(opcode),
        }
    }

    fn memo_step(&mut self, opcode: u8) -> Result<(), String> {
        match opcode {
            b'q' => {
                let at = self.reader.length(1)?;
                self.remember(at)
            }
            b'r' => {
                let at = self.reader.length(4)?;
                self.remember(at)
            }
            b'p' => {
                let at = self.reader.written_index()?;
                self.remember(at)
            }
            0x94 => self.remember(self.memo.len()),
            b'h' => {
                let at = self.reader.length(1)?;
                self.recall(at)
            }
            b'j' => {
                let at = self.reader.length(4)?;
                self.recall(at)
            }
            b'g' => {
                let at = self.reader.written_index()?;
                self.recall(at)
            }
            _ => Err(format!(
                "opcode {opcode:#04x} is none that files of weights have: save plain tensors or arrays \
                 again"
            )),
        }
    }

    fn push(&mut self, node: Node<'a>) -> Result<(), String> {
        if self.nodes.len() >= MAX_VALUES {
            return Err(too_many());
        }
        let id = self.nodes.len() as Id;
        self.nodes.push(node);
        self.push_id(id)
    }

    fn push_id(&mut self, id: Id) -> Result<(), String> {
        self.stack.push(id);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id, String> {
        let bottom = self.marks.last().copied().unwrap_or(0);
        match self.stack.len() > bottom {
            true => self.stack.pop().ok_or_else(nothing_there),
            false => Err(nothing_there()),
        }
    }

    fn top(&self) -> Result<Id, String> {
        let bottom = self.marks.last().copied().unwrap_or(0);
        let above = self.stack.get(bottom..).unwrap_or_default();
        above.last().copied().ok_or_else(nothing_there)
    }

    fn mark(&mut self) -> Result<(), String> {
        if self.marks.len() >= 2 * MAX_DEPTH {
            return Err(too_deep());
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    fn above_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or_else(nothing_there)?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn tuple(&mut self, length: usize) -> Result<(), String> {
        let mut items = (0..length)
            .map(|_| self.pop())
            .collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        self.push(Node::Tuple(items))
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), String> {
        match self.top_node()? {
            Node::List(list) => list.extend(items),
            Node::Object { appended, .. } => appended.extend(items),
            _ => return Err(damaged("something is appended to what is no list")),
        }
        Ok(())
    }

    fn set(&mut self, items: Vec<Id>) -> Result<(), String> {
        match self.top_node()? {
            Node::Dict(dict) => dict.extend(items),
            Node::Object { items: set, .. } => set.extend(items),
            _ => return Err(damaged("a key is set in what has none")),
        }
        Ok(())
    }

    fn top_node(&mut self) -> Result<&mut Node<'a>, String> {
        let top = self.top()?;
        self.nodes.get_mut(top as usize).ok_or_else(nothing_there)
    }

    fn node(&self, id: Id) -> Result<&Node<'a>, String> {
        self.nodes.get(id as usize).ok_or_else(nothing_there)
    }

    fn stack_global(&mut self) -> Result<(), String> {
        let name = self.pop()?;
        let module = self.pop()?;
        let global = match (self.node(module)?, self.node(name)?) {
            (
                Node::Leaf(Value::Text(Cow::Borrowed(module))),
                Node::Leaf(Value::Text(Cow::Borrowed(name))),
            ) => known(module, name)?,
            _ => return Err(damaged("a global has no name")),
        };
        self.push(Node::Leaf(Value::Global(global)))
    }

    /// A call, which stays one.
    fn call(&mut self) -> Result<(), String> {
        let arguments = self.pop()?;
        let callable = self.pop()?;
        match (self.node(callable)?, self.node(arguments)?) {
            (&Node::Leaf(Value::Global(name)), Node::Tuple(_)) => {
                self.push(object(name, arguments, None))
            }
            // What is called came of a call: a method, or a class within a class.
            (&Node::Object { callable: name, .. }, Node::Tuple(_)) => {
                self.push(object(name, arguments, Some(callable)))
            }
            _ => Err(damaged("something is called that is no function")),
        }
    }

    /// A call with arguments by name, which stay as items.
    fn call_by_name(&mut self) -> Result<(), String> {
        let by_name = self.pop()?;
        let Node::Dict(items) = self.node(by_name)? else {
            return Err(damaged("arguments by name have no names"));
        };
        let items = items.clone();
        self.call()?;
        self.set(items)
    }

    fn build(&mut self) -> Result<(), String> {
        let given = self.pop()?;
        match self.top_node()? {
            Node::Object { state, .. } if state.is_none() => *state = Some(given),
            _ => return Err(damaged("a state is given to what takes none")),
        }
        Ok(())
    }

    fn remember(&mut self, at: usize) -> Result<(), String> {
        let top = self.top()?;
        match at.cmp(&self.memo.len()) {
            std::cmp::Ordering::Less => self.memo[at] = top,
            // Protocol 0 and Python 2 number from 1.
            std::cmp::Ordering::Greater if self.memo.is_empty() && at == 1 => {
                self.memo.extend([top, top]);
            }
            std::cmp::Ordering::Equal if at < MAX_VALUES => self.memo.push(top),
            _ => return Err(damaged("its memo has gaps or is too long")),
        }
        Ok(())
    }

    fn recall(&mut self, at: usize) -> Result<(), String> {
        let missing = || damaged("it refers to what it never remembered");
        let id = *self.memo.get(at).ok_or_else(missing)?;
        self.push_id(id)
    }
}

/// A call that is never made.
fn object(callable: Name<'_>, arguments: Id, state: Option<Id>) -> Node<'_> {
    Node::Object {
        callable,
        arguments,
        state,
        items: Vec::new(),
        appended: Vec::new(),
    }
}

fn known<'a>(module: &'a str, name: &'a str) -> Result<Name<'a>, String> {
    let global = Name { module, name };
    if module.len() + name.len() > MAX_NAME {
        return Err(damaged("a name is too long"));
    }
    match global.acts() {
        false => Ok(global),
        true => Err(format!(
            "it wants Python's {}, which no file of weights needs and this program never runs: save \
             the state_dict or the arrays alone",
            shortened(&global.to_string())
        )),
    }
}

/// The start of a name that may be of any length.
fn shortened(name: &str) -> String {
    match name.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

fn integer(bytes: &[u8]) -> Value<'_> {
    if bytes.len() > 8 {
        return Value::LongInteger(bytes);
    }
    let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
    let mut eight = if negative { [0xff; 8] } else { [0; 8] };
    eight[..bytes.len()].copy_from_slice(bytes);
    Value::Integer(i64::from_le_bytes(eight))
}

fn written_integer<'a>(line: &'a [u8]) -> Result<Value<'a>, String> {
    Ok(match line {
        b"00" => Value::Bool(false),
        b"01" => Value::Bool(true),
        digits => {
            let digits = digits.strip_suffix(b"L").unwrap_or(digits);
            let number = str::from_utf8(digits)
                .ok()
                .and_then(|text| text.parse().ok());
            Value::Integer(number.ok_or_else(|| damaged("an integer is not one of 64 bits"))?)
        }
    })
}

fn written_float(line: &[u8]) -> Result<f64, String> {
    let number = str::from_utf8(line).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| damaged("a number is not one"))
}

/// Bytes after their length, which takes `width` bytes.
fn sized<'a>(reader: &mut Reader<'a>, width: usize) -> Result<&'a [u8], String> {
    let length = reader.length(width)?;
    reader.take(length)
}

fn text<'a>(reader: &mut Reader<'a>, width: usize) -> Result<&'a str, String> {
    let length = reader.length(width)?;
    let bytes = reader.take(length)?;
    // NumPy's bytes come as text in protocol 2, so only what is no such text is bounded here.
    str::from_utf8(bytes).map_err(|_| damaged("a text is not UTF-8"))
}

/// A string of Python 2, which does not tell text from bytes.
fn text_or_bytes(bytes: Cow<'_, [u8]>) -> Value<'_> {
    match bytes {
        Cow::Borrowed(bytes) => match str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.into()),
            Err(_) => Value::Bytes(bytes.into()),
        },
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Value::Text(text.into()),
            Err(error) => Value::Bytes(error.into_bytes().into()),
        },
    }
}

fn even(items: Vec<Id>) -> Result<Vec<Id>, String> {
    match items.len() % 2 {
        0 => Ok(items),
        _ => Err(damaged("a key has no value")),
    }
}

pub(super) fn damaged(what: &str) -> String {
    format!("the pickle is damaged or hostile ({what}): fetch it again")
}

fn nothing_there() -> String {
    damaged("it takes a value where there is none")
}

fn too_many() -> String {
    format!("the pickle has more than {MAX_VALUES} values: save the weights alone")
}

pub(super) fn too_deep() -> String {
    format!("the pickle is nested more than {MAX_DEPTH} deep: save the weights alone")
}
