package cli

import "github.com/gtk-onnx/gtk/internal/registry"

// listed is one row of --list.
type listed struct {
	Name   string `json:"name"`
	Doc    string `json:"doc"`
	Source string `json:"source"`
}

// listOf makes rows of the entries of a registry.
func listOf[T any](entries []registry.Entry[T]) []listed {
	var rows []listed
	for _, x := range entries {
		rows = append(rows, listed{x.Name, x.Doc, x.Source})
	}
	return rows
}

// list prints the rows of --list.
func (e *env) list(rows []listed) error {
	if e.JSON {
		return e.emit(map[string]any{"schema": "gtk.list/1", "entries": rows})
	}
	t := newTable(people{e.Stdout})
	for _, r := range rows {
		t.row(r.Name, r.Doc, r.Source)
	}
	return t.flush()
}
