package data

// Paths are the files and folders that a specification names: that of the data, and the lists before it. It is empty for built-in sets and
// for what cannot be read as a specification.
func Paths(spec string) (paths []string) {
	for range 8 {
		s, err := ParseSpec(spec)
		if err != nil || s.Path == "" {
			return paths
		}
		f, err := formats.Lookup(s.Format)
		if err != nil || !f.listed {
			return append(paths, s.Path)
		}
		list, rest, err := splitListed(s)
		if err != nil {
			return append(paths, s.Path)
		}
		paths, spec = append(paths, list), rest
	}
	return paths
}
