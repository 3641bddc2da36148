package onnx

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"unsafe"
	"weak"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// beside knows what was read of the external data of a model and its clones, as long as somebody holds it. Each byte of a file is in memory
// once, however many tensors it is part of, so that all of them take no more than the files.
type beside struct {
	mu    sync.Mutex
	spans map[string][]*span // by location, ascending; those that overlap are one
}

// span is a range of a file that tensors take together.
type span struct {
	from, to int64
	// What was read, and copies for tensors that begin at a byte where their elements cannot, by that byte modulo their size; as long as a
	// tensor holds them.
	read [8]held
}

type held struct {
	first weak.Pointer[byte]
	n     int
}

func (h held) bytes() []byte {
	if p := h.first.Value(); p != nil {
		return unsafe.Slice(p, h.n)
	}
	return nil
}

func hold(b []byte) held { return held{weak.Make(&b[0]), len(b)} }

// spans are the ranges of external files that the tensors of m take, by location. What is malformed is left out.
func (m *Model) spans() map[string][]*span {
	all := map[string][]*span{}
	for r := range m.Tensors() {
		if !isExternal(r.Proto) {
			continue
		}
		if at, offset, size, _, _, err := externalRange(r.Proto); err == nil && size > 0 && offset+size > 0 {
			all[at] = append(all[at], &span{from: offset, to: offset + size})
		}
	}
	for at, s := range all {
		slices.SortFunc(s, func(a, b *span) int { return cmp.Compare(a.from, b.from) })
		joined := s[:1]
		for _, next := range s[1:] {
			if last := joined[len(joined)-1]; next.from < last.to {
				last.to = max(last.to, next.to)
			} else {
				joined = append(joined, next)
			}
		}
		all[at] = joined
	}
	return all
}

// bytes are the size bytes from offset on of the file f at location, on an address that is a multiple of align if the file's place of the
// range lets it, else of a copy that all such tensors share.
func (b *beside) bytes(m *Model, f *os.File, location string, offset, size int64, align int) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spans == nil {
		b.spans = m.spans()
	}
	all := b.spans[location]
	i, _ := slices.BinarySearchFunc(all, offset, func(s *span, at int64) int { return cmp.Compare(s.to-1, at) })
	if i == len(all) || offset < all[i].from || offset+size > all[i].to { // of a tensor that came later
		return readSpan(m.ctx, f, location, offset, offset+size)
	}
	s := all[i]
	b0 := s.read[0].bytes()
	if b0 == nil {
		st, err := f.Stat()
		if err != nil {
			return nil, fmt.Errorf("onnx: external data: %w", err)
		}
		s.to = max(offset+size, min(s.to, st.Size())) // others may claim more than there is
		if b0, err = readSpan(m.ctx, f, location, s.from, s.to); err != nil {
			return nil, err
		}
		s.read[0] = hold(b0)
	}
	at := offset - s.from
	off := int(at % int64(align))
	if off == 0 {
		return b0[at : at+size : at+size], nil
	}
	moved := s.read[off].bytes()
	if moved == nil {
		c, err := tensor.Make(fmt.Sprintf("the external data %q, in which tensors are not aligned,", location), tensor.Uint8, len(b0)-off)
		if err != nil {
			return nil, err
		}
		moved = c.Bytes()
		copy(moved, b0[off:])
		s.read[off] = hold(moved)
	}
	at -= int64(off)
	return moved[at : at+size : at+size], nil
}

// piece is how much is read or hashed before the context is looked at.
const piece = 4 << 20

// readSpan reads a range of f.
func readSpan(ctx context.Context, f *os.File, location string, from, to int64) ([]byte, error) {
	t, err := tensor.Make(fmt.Sprintf("the external data %q", location), tensor.Uint8, int(to-from))
	if err != nil {
		return nil, err
	}
	b := t.Bytes()
	for at := 0; at < len(b); at += piece {
		if err := done(ctx); err != nil {
			return nil, err
		}
		if _, err := f.ReadAt(b[at:min(len(b), at+piece)], from+int64(at)); err != nil {
			return nil, fmt.Errorf("onnx: external data: %w", err)
		}
	}
	return b, nil
}

// done is the error of a context that is done; nil never is.
func done(ctx context.Context) error {
	if ctx == nil {
		return nil
	}
	return ctx.Err()
}

// copyPieces is io.Copy that ends when ctx is done.
func copyPieces(ctx context.Context, w io.Writer, r io.Reader) error {
	for {
		if err := done(ctx); err != nil {
			return err
		}
		if _, err := io.CopyN(w, r, piece); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("onnx: external data: %w", err)
		}
	}
}

func (m *Model) readExternal(t *onnxpb.TensorProto) (*tensor.Tensor, error) {
	f, location, offset, size, shape, err := m.openExternal(t)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := tensor.DType(t.GetDataType())
	m.mu.Lock()
	if m.beside == nil {
		m.beside = new(beside)
	}
	all := m.beside
	m.mu.Unlock()
	var b []byte
	if size > 0 {
		if b, err = all.bytes(m, f, location, offset, size, min(8, max(1, d.Bits()/8))); err != nil {
			return nil, err
		}
	}
	out, err := tensor.FromBytes(d, shape, b)
	if err != nil {
		return nil, err
	}
	return normalBool(out), nil
}
