package data

import (
	account "github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/internal/regular"
)

// ledger is what a reader takes from the account of memory, in steps, as what it reads grows. A nil one takes nothing.
type ledger struct {
	what   string // that is read, for the refusal
	needed int64  // bytes
	held   int64
	grants []*account.Grant
}

// maxStep is the most bytes that a ledger takes beyond what is needed.
const maxStep = 64 << 20

// add asks for n more bytes.
func (l *ledger) add(n int64) error {
	if l == nil {
		return nil
	}
	if l.needed += n; l.needed < account.Small || l.needed <= l.held {
		return nil
	}
	lack := l.needed - l.held
	take := lack + min(l.needed, maxStep)
	g, err := account.Take(take, l.what)
	if err != nil {
		take = lack
		g, err = account.Take(take, l.what)
	}
	if err != nil {
		return err
	}
	l.held += take
	l.grants = append(l.grants, g)
	return nil
}

// grow asks for memory that takes the place of an older piece, see regular.Ask. For a moment both are there.
func (l *ledger) grow(older, bytes int64) error {
	err := l.add(bytes)
	if l != nil {
		l.needed -= older
	}
	return err
}

// push is append within the account.
func push[E any](l *ledger, s []E, e ...E) ([]E, error) {
	s, err := regular.Grow(s, len(e), l.grow)
	if err != nil {
		return nil, err
	}
	return append(s, e...), nil
}

// release gives all back.
func (l *ledger) release() {
	for _, g := range l.grants {
		g.Release()
	}
	l.grants, l.held, l.needed = nil, 0, 0
}

// tie gives all back when owner, which holds what was read, is collected.
func tie[T any](l *ledger, owner *T) {
	for _, g := range l.grants {
		account.Tie(g, owner)
	}
	l.grants = nil
}
