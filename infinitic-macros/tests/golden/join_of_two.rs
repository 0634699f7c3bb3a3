first(), second
