//! One pass over a JSON text: what lies at the pointers is kept, the rest is skipped.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::trie::{NodeId, Trie};

/// What was found at a leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Found {
    /// The document has no such place.
    Absent,
    /// `null`.
    Null,
    /// A whole number that fits.
    Signed(i64),
    /// A whole number above `i64::MAX`.
    Unsigned(u64),
    /// Any other number, finite.
    Float(f64),
    /// A string: its place in [`Finds::text`].
    Text { start: usize, end: usize },
    /// `true` or `false`.
    Bool,
    /// An object.
    Object,
    /// An array.
    Array,
}

impl Found {
    /// The kind of value, with an article, for error texts.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Null => "null",
            Self::Signed(_) | Self::Unsigned(_) => "a whole number",
            Self::Float(_) => "a fractional number",
            Self::Text { .. } => "a string",
            Self::Bool => "a boolean",
            Self::Object => "an object",
            Self::Array => "an array",
        }
    }
}

/// What one document held, in buffers that are used again for the next.
#[derive(Debug)]
pub(super) struct Finds {
    /// One entry per leaf.
    pub(super) at: Vec<Found>,
    /// All strings found, one after the other.
    pub(super) text: String,
    /// The walk came past the root of the data.
    pub(super) entered: bool,
}

impl Finds {
    pub(super) fn new(leaves: usize) -> Self {
        Self { at: vec![Found::Absent; leaves], text: String::new(), entered: false }
    }

    /// The text of a [`Found::Text`].
    pub(super) fn text_of(&self, start: usize, end: usize) -> &str {
        self.text.get(start..end).unwrap_or_default()
    }

    fn reset(&mut self) {
        self.at.fill(Found::Absent);
        self.text.clear();
        self.entered = false;
    }
}

/// Reads `text` into `finds`, starting at node `root` of the trie.
pub(super) fn read(
    trie: &Trie,
    root: NodeId,
    text: &str,
    finds: &mut Finds,
) -> Result<(), serde_json::Error> {
    finds.reset();
    let mut parser = serde_json::Deserializer::from_str(text);
    Walk { trie, node: root, finds }.deserialize(&mut parser)?;
    parser.end()
}

/// The value at one node.
struct Walk<'a> {
    trie: &'a Trie,
    node: NodeId,
    finds: &'a mut Finds,
}

impl Walk<'_> {
    fn keep(self, found: Found) {
        let node = self.trie.node(self.node);
        if node.leaf {
            self.finds.at[node.leaves.start] = found;
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        if self.node == Trie::ROOT {
            self.finds.entered = true;
        }
        // The last of several equal keys wins: what an earlier one held is forgotten.
        self.finds.at[self.trie.node(self.node).leaves.clone()].fill(Found::Absent);
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.keep(Found::Null);
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.keep(Found::Bool);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.keep(Found::Signed(number));
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.keep(i64::try_from(number).map_or(Found::Unsigned(number), Found::Signed));
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.keep(Found::Float(number));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if self.trie.node(self.node).leaf {
            let start = self.finds.text.len();
            self.finds.text.push_str(text);
            let end = self.finds.text.len();
            self.keep(Found::Text { start, end });
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { trie, node, finds } = self;
        let here = trie.node(node);
        if here.leaf {
            finds.at[here.leaves.start] = Found::Object;
        }
        let mut hint = 0;
        while let Some(child) = map.next_key_seed(Member { trie, node, hint: &mut hint })? {
            match child {
                Some(node) => map.next_value_seed(Walk { trie, node, finds: &mut *finds })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { trie, node, finds } = self;
        let here = trie.node(node);
        if here.leaf {
            finds.at[here.leaves.start] = Found::Array;
        }
        for index in 0.. {
            let more = match here.element(index) {
                Some(node) => {
                    seq.next_element_seed(Walk { trie, node, finds: &mut *finds })?.is_some()
                }
                None => seq.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Ok(())
    }
}

/// The key of a member: which child it leads to, without copying it.
struct Member<'a> {
    trie: &'a Trie,
    node: NodeId,
    hint: &'a mut usize,
}

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = Option<NodeId>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Option<NodeId>, D::Error> {
        parser.deserialize_str(self)
    }
}

impl Visitor<'_> for Member<'_> {
    type Value = Option<NodeId>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E>(self, key: &str) -> Result<Option<NodeId>, E> {
        Ok(self.trie.node(self.node).child(key, self.hint))
    }
}
