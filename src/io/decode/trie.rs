//! JSON pointers, compiled into one tree that a parser can walk once.
//!
//! Leaves are numbered in depth-first order, so that all leaves below a node are one range:
//! when a duplicate key replaces a value, forgetting what the first one held is one `fill`.

use std::ops::Range;

use rustc_hash::FxHashMap;

use super::InputError;

/// Index of a node.
pub(super) type NodeId = usize;

/// One place in a document.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Members and elements below, in the order of the configuration.
    children: Vec<(Box<str>, NodeId)>,
    /// The same by key.
    by_key: FxHashMap<Box<str>, NodeId>,
    /// The same by array index.
    by_index: FxHashMap<usize, NodeId>,
    /// Leaves at or below this node.
    pub(super) leaves: Range<usize>,
    /// Whether a value is read here; such a node has no children.
    pub(super) leaf: bool,
}

impl Node {
    /// The child of `key`; `hint` is where the last key was found, since producers keep an order.
    pub(super) fn child(&self, key: &str, hint: &mut usize) -> Option<NodeId> {
        if let Some((expected, child)) = self.children.get(*hint)
            && **expected == *key
        {
            *hint += 1;
            return Some(*child);
        }
        self.by_key.get(key).copied()
    }

    /// The child of an array index.
    pub(super) fn element(&self, index: usize) -> Option<NodeId> {
        self.by_index.get(&index).copied()
    }
}

/// All pointers of one input.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    leaves: usize,
}

impl Trie {
    /// The root of the data.
    pub(super) const ROOT: NodeId = 0;
    /// The root of a structured CloudEvent: its `data` member is [`Trie::ROOT`].
    pub(super) const ENVELOPE: NodeId = 1;

    /// Compiles `pointers`; equal ones share a leaf.
    pub(super) fn new(pointers: &[&str]) -> Result<Self, InputError> {
        let mut trie = Self { nodes: vec![Node::default(), Node::default()], leaves: 0 };
        trie.attach(Self::ENVELOPE, "data".into(), Self::ROOT);
        let mut ends = Vec::with_capacity(pointers.len());
        for pointer in pointers {
            let end = trie.insert(pointer)?;
            trie.nodes[end].leaf = true;
            ends.push(end);
        }
        trie.refuse_nested(pointers, &ends)?;
        trie.number(Self::ROOT);
        trie.nodes[Self::ENVELOPE].leaves = trie.nodes[Self::ROOT].leaves.clone();
        Ok(trie)
    }

    /// The leaf of a pointer that was compiled.
    pub(super) fn leaf(&self, pointer: &str) -> Result<usize, InputError> {
        let unknown =
            InputError::Pointer { pointer: pointer.into(), detail: "it was not compiled" };
        let mut at = Self::ROOT;
        for token in tokens(pointer)? {
            at = *self.nodes[at].by_key.get(token.as_str()).ok_or_else(|| unknown.clone())?;
        }
        if self.nodes[at].leaf { Ok(self.nodes[at].leaves.start) } else { Err(unknown) }
    }

    /// The node `id`, which came from this trie.
    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// Number of leaves.
    pub(super) fn leaves(&self) -> usize {
        self.leaves
    }

    fn insert(&mut self, pointer: &str) -> Result<NodeId, InputError> {
        let mut at = Self::ROOT;
        for token in tokens(pointer)? {
            at = match self.nodes[at].by_key.get(token.as_str()) {
                Some(&child) => child,
                None => {
                    let child = self.nodes.len();
                    self.nodes.push(Node::default());
                    self.attach(at, token.into(), child);
                    child
                }
            };
        }
        Ok(at)
    }

    fn attach(&mut self, parent: NodeId, token: Box<str>, child: NodeId) {
        let node = &mut self.nodes[parent];
        if let Some(index) = array_index(&token) {
            node.by_index.insert(index, child);
        }
        node.by_key.insert(token.clone(), child);
        node.children.push((token, child));
    }

    fn refuse_nested(&self, pointers: &[&str], ends: &[NodeId]) -> Result<(), InputError> {
        let Some(outer) = ends.iter().position(|&end| !self.nodes[end].children.is_empty()) else {
            return Ok(());
        };
        let head = format!("{}/", pointers[outer]);
        let inner = pointers.iter().find(|p| p.starts_with(&head)).unwrap_or(&pointers[outer]);
        Err(InputError::Nested { outer: pointers[outer].into(), inner: (*inner).into() })
    }

    fn number(&mut self, id: NodeId) {
        let first = self.leaves;
        if self.nodes[id].leaf {
            self.leaves += 1;
        }
        for at in 0..self.nodes[id].children.len() {
            self.number(self.nodes[id].children[at].1);
        }
        self.nodes[id].leaves = first..self.leaves;
    }
}

/// An array index as RFC 6901 writes it: digits without a leading zero.
fn array_index(token: &str) -> Option<usize> {
    let plain =
        token.bytes().all(|b| b.is_ascii_digit()) && (token.len() == 1 || !token.starts_with('0'));
    if plain { token.parse().ok() } else { None }
}

fn tokens(pointer: &str) -> Result<Vec<String>, InputError> {
    let refuse = |detail| InputError::Pointer { pointer: pointer.into(), detail };
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    let Some(rest) = pointer.strip_prefix('/') else {
        return Err(refuse("it must be empty or start with `/`"));
    };
    rest.split('/')
        .map(|token| unescape(token).ok_or_else(|| refuse("`~` must be `~0` or `~1`")))
        .collect()
}

/// `~1` is `/` and `~0` is `~`; `None` for any other use of `~`.
fn unescape(token: &str) -> Option<String> {
    let mut plain = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '~' => match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_pointers_are_named() {
        #[rustfmt::skip]
        let cases: &[(&[&str], &str)] = &[
            (&["temp"],        "`temp` is not a JSON pointer: it must be empty or start with `/`"),
            (&["/a~2"],        "`/a~2` is not a JSON pointer: `~` must be `~0` or `~1`"),
            (&["/a~"],         "`/a~` is not a JSON pointer: `~` must be `~0` or `~1`"),
            (&["/a/b", "/a"],  "`/a/b` lies inside `/a`, which is read as a plain value"),
            (&["", "/a"],      "`/a` lies inside ``, which is read as a plain value"),
        ];
        for (pointers, text) in cases {
            assert_eq!(Trie::new(pointers).unwrap_err().to_string(), *text);
        }
    }

    #[test]
    fn leaves_below_a_node_are_one_range_and_equal_pointers_share_one() {
        let trie = Trie::new(&["/a/x", "/b", "/a/y", "/b"]).unwrap();
        assert_eq!(["/a/x", "/a/y", "/b"].map(|pointer| trie.leaf(pointer)), [Ok(0), Ok(1), Ok(2)]);
        assert!(trie.leaf("/a").is_err());
        assert_eq!(trie.leaves(), 3);
        let mut hint = 0;
        let a = trie.node(Trie::ROOT).child("a", &mut hint).unwrap();
        assert_eq!((trie.node(a).leaves.clone(), hint), (0..2, 1));
    }

    #[test]
    fn only_plain_numbers_are_array_indexes() {
        let seen: Vec<_> = ["0", "10", "01", "-", "-1", "", "9999999999999999999999"]
            .iter()
            .map(|token| array_index(token))
            .collect();
        assert_eq!(seen, [Some(0), Some(10), None, None, None, None, None]);
    }
}
