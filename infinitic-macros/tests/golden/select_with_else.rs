Some(ref mut x) = first => x.take(),
Ok(&y) = second => y,
else => 0,
