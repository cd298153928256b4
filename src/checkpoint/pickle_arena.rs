//! The values of a pickle while it is read: an arena in which one may be meant by many, and the tree
//! that comes of it.

use std::borrow::Cow;

use super::globals::Name;
use super::pickle::{MAX_DEPTH, Object, Value, damaged, too_deep};

/// A value in the arena.
pub(super) type Id = u32;

pub(super) enum Node<'a> {
    /// A value without others in it.
    Leaf(Value<'a>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    /// Keys and values by turns.
    Dict(Vec<Id>),
    Persistent(Id),
    Object {
        callable: Name<'a>,
        /// A tuple.
        arguments: Id,
        state: Option<Id>,
        /// Keys and values by turns.
        items: Vec<Id>,
        appended: Vec<Id>,
    },
}

impl Node<'_> {
    fn children(&self) -> impl Iterator<Item = Id> + '_ {
        let (ids, more, first, second): (&[Id], &[Id], _, _) = match self {
            Self::Leaf(_) => (&[], &[], None, None),
            Self::List(ids) | Self::Tuple(ids) | Self::Dict(ids) => (ids, &[], None, None),
            Self::Persistent(id) => (&[], &[], Some(*id), None),
            Self::Object {
                arguments,
                state,
                items,
                appended,
                ..
            } => (items, appended, Some(*arguments), *state),
        };
        ids.iter().chain(more).copied().chain(first).chain(second)
    }

    /// What the value itself counts for in a tree: text that is not borrowed is copied there.
    fn weight(&self) -> usize {
        match self {
            Self::Leaf(Value::Text(Cow::Owned(text))) => 1 + text.len() / 16,
            Self::Leaf(Value::Bytes(Cow::Owned(bytes))) => 1 + bytes.len() / 16,
            _ => 1,
        }
    }
}

/// Refuses cycles, deep nesting, and values whose tree would have more than `limit` values.
pub(super) fn refuse_large_trees(nodes: &[Node<'_>], root: Id, limit: usize) -> Result<(), String> {
    enum Size {
        Unknown,
        /// Being measured: to meet it again within itself is a cycle.
        Open,
        Known {
            values: usize,
            depth: usize,
        },
    }
    let mut sizes: Vec<Size> = nodes.iter().map(|_| Size::Unknown).collect();
    // A value is looked at twice: to ask for what is in it, then to add that up.
    let mut open = vec![(root, false)];
    while let Some((id, asked)) = open.pop() {
        let node = &nodes[id as usize];
        if asked {
            let (mut values, mut depth) = (node.weight(), 1);
            for child in node.children() {
                if let Size::Known {
                    values: v,
                    depth: d,
                } = sizes[child as usize]
                {
                    values = values.saturating_add(v);
                    depth = depth.max(d + 1);
                }
            }
            if values > limit {
                return Err(damaged("what it means is far larger than what is written"));
            }
            if depth > MAX_DEPTH {
                return Err(too_deep());
            }
            sizes[id as usize] = Size::Known { values, depth };
            continue;
        }
        match sizes[id as usize] {
            Size::Known { .. } => {}
            Size::Open => return Err(damaged("it has a cycle (a value within itself)")),
            Size::Unknown => {
                sizes[id as usize] = Size::Open;
                open.push((id, true));
                open.extend(
                    node.children()
                        .filter(|&child| !matches!(sizes[child as usize], Size::Known { .. }))
                        .map(|child| (child, false)),
                );
            }
        }
    }
    Ok(())
}

/// The tree of a value that [`refuse_large_trees`] lets pass.
pub(super) fn tree<'a>(nodes: &[Node<'a>], id: Id) -> Value<'a> {
    let many = |ids: &[Id]| ids.iter().map(|&id| tree(nodes, id)).collect::<Vec<_>>();
    let pairs = |ids: &[Id]| {
        ids.as_chunks()
            .0
            .iter()
            .map(|&[key, value]| (tree(nodes, key), tree(nodes, value)))
            .collect::<Vec<_>>()
    };
    match &nodes[id as usize] {
        Node::Leaf(leaf) => leaf.clone(),
        Node::List(ids) => Value::List(many(ids)),
        Node::Tuple(ids) => Value::Tuple(many(ids)),
        Node::Dict(ids) => Value::Dict(pairs(ids)),
        Node::Persistent(id) => Value::Persistent(Box::new(tree(nodes, *id))),
        Node::Object {
            callable,
            arguments,
            state,
            items,
            appended,
        } => Value::Object(Box::new(Object {
            callable: *callable,
            arguments: match tree(nodes, *arguments) {
                Value::Tuple(arguments) => arguments,
                _ => Vec::new(),
            },
            state: state.map_or(Value::None, |state| tree(nodes, state)),
            items: pairs(items),
            appended: many(appended),
        })),
    }
}
