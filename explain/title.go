package explain

import (
	"fmt"
	"strings"
)

// Title names the method of m for people, with the options that are not the default: "Smooth Grad-CAM++, 8 samples".
func (m Map) Title() string {
	spec, err := Lookup(m.Base)
	if err != nil {
		return m.Method
	}
	parts := []string{spec.Title}
	for _, p := range spec.Params {
		if v, given := m.Options[p.Name]; given && v != p.Default {
			parts = append(parts, p.tells(v))
		}
	}
	return strings.Join(parts, ", ")
}

// tells is the value v for people.
func (p Param) tells(v string) string {
	switch {
	case p.Says != "":
		s := fmt.Sprintf(p.Says, v)
		if v == "1" {
			s = strings.TrimSuffix(s, "s")
		}
		return s
	case v == "true":
		return p.Name
	case v == "false":
		return "no " + p.Name
	case p.Choices != nil:
		return strings.ReplaceAll(v, "_", " ")
	}
	return p.Name + " " + v
}
