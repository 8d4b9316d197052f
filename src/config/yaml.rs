//! How long a YAML text is once its aliases are written out.

use rustc_hash::FxHashMap;
use yaml_rust2::parser::{Event, EventReceiver, Parser};

/// Most bytes of all values. Nine lines of aliases of aliases are a billion values.
const EXPANDED_BYTES_MAX: u64 = 4 << 20;

/// What is wrong with the length of a text; a text that is no YAML is told by who reads it.
pub(super) fn expansion_fault(text: &str) -> Option<String> {
    let mut sizes = Sizes::default();
    Parser::new_from_str(text).load(&mut sizes, true).ok()?;
    (sizes.total > EXPANDED_BYTES_MAX).then(|| {
        format!("with its aliases written out it is longer than {EXPANDED_BYTES_MAX} bytes")
    })
}

/// Bytes of what was read so far.
#[derive(Debug, Default)]
struct Sizes {
    total: u64,
    /// Lists and tables that are not closed yet: number of the anchor, bytes so far.
    open: Vec<(usize, u64)>,
    /// By number of the anchor; 0 is none.
    anchors: FxHashMap<usize, u64>,
}

impl Sizes {
    fn add(&mut self, anchor: usize, bytes: u64) {
        if anchor > 0 {
            self.anchors.insert(anchor, bytes);
        }
        let sum = self.open.last_mut().map_or(&mut self.total, |(_, sum)| sum);
        *sum = sum.saturating_add(bytes);
    }
}

impl EventReceiver for Sizes {
    fn on_event(&mut self, event: Event) {
        match event {
            Event::Scalar(value, _, anchor, _) => self.add(anchor, 1 + value.len() as u64),
            // One that stands inside of what it means is refused later.
            Event::Alias(anchor) => self.add(0, self.anchors.get(&anchor).copied().unwrap_or(1)),
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                self.open.push((anchor, 1));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((anchor, bytes)) = self.open.pop() {
                    self.add(anchor, bytes);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `lines` of tenfold aliases of the line before.
    fn nested(lines: usize) -> String {
        let line =
            |i: usize| format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(","));
        "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned() + &(1..=lines).map(line).collect::<String>()
    }

    #[test]
    fn aliases_of_aliases_are_refused_and_few_are_not() {
        assert_eq!(expansion_fault(&nested(3)), None);
        for lines in [9, 40] {
            let fault = expansion_fault(&nested(lines)).unwrap();
            assert!(fault.contains("4194304"), "{fault}");
        }
        let long = format!("a: &a {}\nb: [{}]", "x".repeat(1 << 16), vec!["*a"; 100].join(","));
        assert!(expansion_fault(&long).is_some(), "length counts, too");
        assert_eq!(expansion_fault("a: &a {b: *a}"), None);
        assert_eq!(expansion_fault("a: [1, 2"), None, "is no YAML");
    }
}
