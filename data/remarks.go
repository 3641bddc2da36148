package data

import (
	"fmt"
	"math/bits"
	"slices"
	"sync"

	"github.com/gtk-onnx/gtk/tensor"
)

// remark is something odd about a picture that is read all the same.
type remark int

const (
	transparent remark = iota
	animated
	remarkCount
)

// remarks gathers what is remarkable about the pictures of a data set while they are read, by several goroutines at once.
type remarks struct {
	mu    sync.Mutex
	seen  [remarkCount]map[int]bool // indices
	deep  int                       // 16-bit pictures that were read
	most  uint16                    // their largest value
	first int                       // the lowest index of one
}

// add takes in what was found in picture i.
func (r *remarks) add(i int, x *tensor.Tensor, seen []remark) {
	isDeep := x.DType() == tensor.Uint16
	if !isDeep && len(seen) == 0 {
		return
	}
	var most uint16
	if isDeep {
		most = slices.Max(tensor.Data[uint16](x)) // others go on meanwhile
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range seen {
		if r.seen[k] == nil {
			r.seen[k] = map[int]bool{}
		}
		r.seen[k][i] = true
	}
	if isDeep {
		if r.deep == 0 || i < r.first {
			r.first = i
		}
		r.deep++
		r.most = max(r.most, most)
	}
}

// notes are the sentences; id names a picture.
func (r *remarks) notes(alpha string, id func(int) string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var notes []string
	if s := r.seen[transparent]; len(s) > 0 && alpha == "" {
		notes = append(notes, which(s, id, "picture has transparent pixels", "pictures have transparent pixels")+": alpha is dropped, "+
			"as Pillow's convert(\"RGB\") does; --transparent white or black lays pictures on that ground, drop says that this is meant")
	}
	if s := r.seen[animated]; len(s) > 0 {
		notes = append(notes, which(s, id, "file holds several pictures", "files hold several pictures")+": the first one is used")
	}
	if n := bits.Len16(r.most); r.deep > 0 && n <= 14 {
		n = max(n, 8)
		notes = append(notes, fmt.Sprintf("the largest value of the 16-bit pictures (such as %s) is %d, as if they had %d bits: unless "+
			"--scale "+
			"says otherwise, they reach the model as 0 to %.2g; --scale 257/%d makes them 0 to 1", id(r.first), r.most, n,
			float64(r.most)/65535, 1<<n-1))
	}
	return notes
}

// which is "3 pictures … (the first is a.png)", or "a.png: picture …" for one.
func which(s map[int]bool, id func(int) string, one, several string) string {
	first := -1
	for i := range s {
		if first < 0 || i < first {
			first = i
		}
	}
	if len(s) == 1 {
		return fmt.Sprintf("1 %s (%s)", one, id(first))
	}
	return fmt.Sprintf("%d %s (the first is %s)", len(s), several, id(first))
}
