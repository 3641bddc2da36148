package tensor

import (
	"fmt"
	"strconv"
	"strings"
)

// Format is t as text in NumPy's manner: type and shape, then nested brackets with aligned columns. Axes longer than 6 of
// tensors of more than 1000 elements show their first and last 3. A container shows its items below it, of more than 20 the first and last
// 3; maps with the same keys are a table.
func Format(t *Tensor) string {
	if t.dtype.IsContainer() {
		return formatItems(t)
	}
	f := formatter{t: t, summarise: t.Len() > 1000}
	if t.Len() > 0 {
		f.walk(0, 0, func(i int) { f.width = max(f.width, len(f.cell(i))) }, func(string) {})
		f.walk(0, 0, func(i int) { fmt.Fprintf(&f.out, "%*s", f.width, f.cell(i)) }, func(s string) { f.out.WriteString(s) })
	} else {
		f.out.WriteString("[]")
	}
	return t.String() + " " + f.out.String()
}

// formatItems is Format of a container.
func formatItems(t *Tensor) string {
	if table := formatMaps(t); table != "" {
		return table
	}
	out := t.String()
	n := len(t.Items())
	for i := 0; i < n; i++ {
		name := fmt.Sprint(i)
		switch t.dtype.Kind() {
		case Map:
			name = [...]string{"keys", "values"}[i]
		case Optional:
			name = "value"
		default:
			if n > 20 && i == 3 {
				out += "\n  ..."
				i = n - 3
				name = fmt.Sprint(i)
			}
		}
		out += "\n  " + name + ": " + strings.ReplaceAll(Format(t.Item(i)), "\n", "\n  ")
	}
	return out
}

type formatter struct {
	t         *Tensor
	summarise bool
	width     int
	out       strings.Builder
}

// cell is element i as text.
func (f *formatter) cell(i int) string {
	switch v := f.t.flat(i).(type) {
	case float32:
		return strconv.FormatFloat(float64(v), 'g', 6, 32)
	case float64:
		return strconv.FormatFloat(v, 'g', 8, 64)
	case string:
		return strconv.Quote(v)
	default:
		return fmt.Sprint(v)
	}
}

// walk visits the elements to show from axis a on, base being the elements before, with the punctuation between.
func (f *formatter) walk(a, base int, elem func(i int), text func(string)) {
	if a == f.t.Rank() {
		elem(base)
		return
	}
	n := f.t.shape[a]
	inner := f.t.shape[a+1:].Len()
	sep := " "
	if a < f.t.Rank()-1 {
		sep = strings.Repeat("\n", f.t.Rank()-1-a) + strings.Repeat(" ", a+1)
	}
	text("[")
	for i := 0; i < n; i++ {
		if i > 0 {
			text(sep)
		}
		if f.summarise && n > 6 && i == 3 {
			text("..." + sep)
			i = n - 3
		}
		f.walk(a+1, base+i*inner, elem, text)
	}
	text("]")
}
