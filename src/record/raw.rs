//! Lists of numbers as their bytes, little end first: exact bits, NaN included, and no time spent.
//!
//! For `#[serde(with = "raw::f32s")]` and the like.

/// The numbers of one type.
macro_rules! numbers {
    ($name:ident, $number:ty) => {
        /// A list that can be seen as a slice and made from a `Vec`.
        pub mod $name {
            use serde::de::{Error, Visitor};
            use serde::{Deserializer, Serializer};

            /// Writes the bytes.
            ///
            /// # Errors
            ///
            /// Those of the format.
            pub fn serialize<S: Serializer>(
                list: &impl AsRef<[$number]>,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                let list = list.as_ref();
                let mut bytes = Vec::with_capacity(size_of_val(list));
                list.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
                serializer.serialize_bytes(&bytes)
            }

            struct Bytes<T>(std::marker::PhantomData<T>);

            impl<T: TryFrom<Vec<$number>>> Visitor<'_> for Bytes<T> {
                type Value = T;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    write!(f, "the bytes of a list of {}", stringify!($number))
                }

                fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<T, E> {
                    const SIZE: usize = size_of::<$number>();
                    let chunks = bytes.chunks_exact(SIZE);
                    if !chunks.remainder().is_empty() {
                        return Err(E::invalid_length(bytes.len(), &self));
                    }
                    let number = |chunk: &[u8]| {
                        let mut bytes = [0; SIZE];
                        bytes.copy_from_slice(chunk);
                        <$number>::from_le_bytes(bytes)
                    };
                    let list: Vec<$number> = chunks.map(number).collect();
                    T::try_from(list).map_err(|_| E::invalid_length(bytes.len(), &self))
                }
            }

            /// Reads the bytes.
            ///
            /// # Errors
            ///
            /// If the bytes are not whole numbers, or not as many as the list holds.
            pub fn deserialize<'de, D: Deserializer<'de>, T: TryFrom<Vec<$number>>>(
                deserializer: D,
            ) -> Result<T, D::Error> {
                deserializer.deserialize_bytes(Bytes(std::marker::PhantomData))
            }
        }
    };
}

numbers!(f32s, f32);
numbers!(f64s, f64);
numbers!(i64s, i64);
