package data

import (
	"runtime"

	account "github.com/gtk-onnx/gtk/internal/memory"
)

// turn is the memory of work on one example: decoding its picture and what is made of that. The first request waits until others have
// finished, so that the number of threads does not multiply large pictures; the turn is over when what it was for is no longer needed.
type turn struct {
	grants []*account.Grant
	held   int64 // bytes
}

// large is the need in bytes from which on garbage is collected first: what the example before has left would double the memory.
const large = 192 << 20

// need asks for n bytes for what.
func (t *turn) need(n int64, what string) error {
	if n < account.Small {
		return nil
	}
	ask := account.Take
	if len(t.grants) == 0 {
		ask = account.Turn
	}
	g, err := ask(n, what)
	if err != nil {
		return err
	}
	t.grants, t.held = append(t.grants, g), t.held+n
	if n >= large {
		runtime.GC()
	}
	return nil
}

// over gives back what the turn was granted.
func (t *turn) over() {
	for _, g := range t.grants {
		g.Release()
	}
	t.grants, t.held = nil, 0
}

// turning is a Dataset whose examples take much memory while they are read. Its Example is that of a turn that is over when it returns.
type turning interface {
	exampleIn(t *turn, i int) (Example, error)
}

// exampleIn is example i of ds, read in turn t.
func exampleIn(t *turn, ds Dataset, i int) (Example, error) {
	if d, ok := ds.(turning); ok {
		return d.exampleIn(t, i)
	}
	return ds.Example(i)
}

// Look calls see with example i of ds, while what others decode waits where the picture is a large one: see may make images of it.
func Look(ds Dataset, i int, see func(Example) error) error {
	var t turn
	defer t.over()
	e, err := exampleIn(&t, ds, i)
	if err != nil {
		return err
	}
	if e.Picture {
		if err := t.need(8*int64(e.X.Len()), "the picture "+e.ID); err != nil {
			return wrapExample(e.ID, err)
		}
	}
	if err = see(e); t.held >= large {
		e = Example{}
		runtime.GC()
	}
	return err
}

// inTurn is example i of ds, read in a turn of its own.
func inTurn(ds turning, i int) (Example, error) {
	var t turn
	defer t.over()
	return ds.exampleIn(&t, i)
}
