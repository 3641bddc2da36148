package tensor

import "github.com/gtk-onnx/gtk/internal/memory"

// Make is New for a size that a file, a flag or a run asks for: it fails with a *memory.Error, which says what wants the memory, when the
// process has not enough of it left, and with ErrShape for an impossible shape. The memory counts until it is collected.
func Make(what string, d DType, shape ...int) (*Tensor, error) {
	n, err := Shape(shape).CheckedLen(d)
	if err != nil {
		return nil, err
	}
	bytes := int64(d.Size(n))
	if d == String {
		bytes = 16 * int64(n)
	}
	if bytes < memory.Small {
		return New(d, shape...), nil
	}
	g, err := memory.Take(bytes, what)
	if err != nil {
		return nil, err
	}
	t := New(d, shape...)
	if d == String {
		memory.Tie(g, &t.str[0])
	} else {
		memory.Tie(g, &t.raw[0])
	}
	return t, nil
}
