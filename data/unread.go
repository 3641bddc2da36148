package data

import "slices"

// Unread is the settings of o that the format of a specification does not look at, by the names that they have behind a ? of a csv, and
// the name of the format. Nothing is said of what cannot be parsed, and of lists that do not name the data.
func (o Options) Unread(spec string) (settings []string, format string) {
	s, err := ParseSpec(spec)
	if err != nil {
		return nil, ""
	}
	f, err := formats.Lookup(s.Format)
	if err != nil {
		return nil, ""
	}
	if f.listed {
		_, inner, err := splitListed(s)
		if err != nil {
			return nil, ""
		}
		return o.Unread(inner)
	}
	read := f.query
	if f.flags != nil {
		read = slices.Concat(read, f.flags(s.Path))
	}
	for _, k := range []struct {
		given bool
		names []string
	}{
		{o.LabelColumn != "", []string{"label"}}, {o.FileColumn != "", []string{"file", "image"}}, {o.MaskColumn != "", []string{"mask"}},
		{o.Root != "", []string{"root"}}, {o.Header != "", []string{"header"}}, {o.Decimal != "", []string{"decimal"}},
	} {
		if k.given && !slices.ContainsFunc(k.names, func(n string) bool { return slices.Contains(read, n) }) {
			settings = append(settings, k.names[0])
		}
	}
	return settings, f.Name
}
