//! Bounds of pages of history rows: keys are bytes at the seam, and two columns in the tables.

/// Bytes of an instance id.
const ID: usize = 16;

/// The first instance id and row number whose key is not below `key`. None when every key is below.
pub(crate) fn first_not_below(key: &[u8]) -> Option<([u8; ID], u32)> {
    let mut whole = [0; ID + 4];
    let given = key.len().min(whole.len());
    whole[..given].copy_from_slice(&key[..given]);
    let mut number = u32::from_be_bytes(whole[ID..].try_into().expect("four bytes"));
    let mut id: [u8; ID] = whole[..ID].try_into().expect("sixteen bytes");
    if key.len() > whole.len() {
        // A longer key is above the row that it begins with: the next one is meant.
        match number.checked_add(1) {
            Some(next) => number = next,
            None => {
                number = 0;
                id = u128::from_be_bytes(id).checked_add(1)?.to_be_bytes();
            }
        }
    }
    Some((id, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_rounded_up() {
        assert_eq!(first_not_below(&[]), Some(([0; 16], 0)));
        let mut id = [0; 16];
        id[0] = 7;
        assert_eq!(first_not_below(&[7]), Some((id, 0)));
        let key = [&id[..], &[0, 0, 1, 2]].concat();
        assert_eq!(first_not_below(&key), Some((id, 258)));
        assert_eq!(first_not_below(&[&key[..], &[0]].concat()), Some((id, 259)));
        let end = [&id[..], &[0xff; 4], &[0]].concat();
        id[15] = 1;
        assert_eq!(first_not_below(&end), Some((id, 0)));
        assert_eq!(first_not_below(&[0xff; 20]), Some(([0xff; 16], u32::MAX)));
        assert_eq!(first_not_below(&[0xff; 21]), None);
    }
}
