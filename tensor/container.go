package tensor

import (
	"fmt"
	"slices"
	"sync/atomic"
)

// Kind says what a DType is a type of: plain elements, or a container.
type Kind uint8

// The kinds of types. A container type is made by SequenceOf, OptionalOf and MapOf and says what it contains, up to three containers deep,
// which is as deep as ONNX's own operators go. A tensor of a container type is a scalar whose one element is the container; Items are what
// is in it.
//
// Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (TypeProto).
const (
	Plain    Kind = iota // a tensor of elements
	Sequence             // a list of tensors, or of containers, of one type
	Optional             // one value, or none
	Map                  // one element for each of its keys
)

// String is the word for k: tensor, sequence, optional or map.
func (k Kind) String() string { return [...]string{"tensor", "sequence", "optional", "map"}[k&3] }

// A container type has the element type in its lowest byte and, from the inside to the outside, a byte for each container: two bits for
// its kind, of a map five for the type of its keys.
const (
	plainBits = 8
	layerBits = 7
	keyBits   = 5
	maxLayers = 3
)

func (d DType) layers() int {
	n := 0
	for x := int(d) >> plainBits; x > 0; x >>= layerBits {
		n++
	}
	return n
}

// around is the type of a container of d; Undefined when d is not a type or already three containers deep.
func around(d DType, k Kind, key DType) DType {
	n := d.layers()
	if n == maxLayers || !d.Element().Valid() {
		return Undefined
	}
	return d | (DType(k)<<keyBits|key)<<(plainBits+layerBits*n)
}

// SequenceOf is the type of lists of values of type d, Undefined when there is none.
func SequenceOf(d DType) DType { return around(d, Sequence, 0) }

// OptionalOf is the type of values of type d that may be missing, Undefined when there is none.
func OptionalOf(d DType) DType { return around(d, Optional, 0) }

// MapOf is the type of maps from keys, of strings or integers, to elements of type d; Undefined when there is none.
func MapOf(key, d DType) DType {
	if d.IsContainer() || key != String && (!key.IsInt() || key.Bits() < 8) {
		return Undefined
	}
	return around(d, Map, key)
}

// IsContainer reports whether d is the type of a sequence, an optional or a map.
func (d DType) IsContainer() bool { return d >= 1<<plainBits }

// outer is the byte of the outermost container.
func (d DType) outer() DType {
	if !d.IsContainer() {
		return 0
	}
	return d >> (plainBits + layerBits*(d.layers()-1))
}

// Kind is Plain, or the kind of container that d is the type of.
func (d DType) Kind() Kind { return Kind(d.outer() >> keyBits) }

// Key is the type of the keys of a map, Undefined for others.
func (d DType) Key() DType { return d.outer() & (1<<keyBits - 1) }

// Inner is the type of what a container of type d contains; d itself when it is none.
func (d DType) Inner() DType {
	if !d.IsContainer() {
		return d
	}
	return d & (1<<(plainBits+layerBits*(d.layers()-1)) - 1)
}

// Element is the element type of the tensors inside d, however deep; d itself when it is no container.
func (d DType) Element() DType { return d & (1<<plainBits - 1) }

// WithElement is d with another type of elements in its containers.
func (d DType) WithElement(e DType) DType { return d&^(1<<plainBits-1) | e }

// containerName is for example "sequence(float32)" and "map(int64,float32)".
func (d DType) containerName() string {
	switch in := d.Inner(); d.Kind() {
	case Sequence:
		return fmt.Sprintf("sequence(%v)", in)
	case Optional:
		return fmt.Sprintf("optional(%v)", in)
	default:
		return fmt.Sprintf("map(%v,%v)", d.Key(), in)
	}
}

// NewSequence is the list of items, which must all be of type inner. They are not copied: nobody may change them from then on.
func NewSequence(inner DType, items ...*Tensor) (*Tensor, error) {
	d := SequenceOf(inner)
	if d == Undefined {
		return nil, fmt.Errorf("tensor: there are no sequences of %v", inner)
	}
	return boxed(d, inner, items)
}

// NewOptional is x as an optional, or none when x is nil. It is not copied: nobody may change it from then on.
func NewOptional(inner DType, x *Tensor) (*Tensor, error) {
	d := OptionalOf(inner)
	switch {
	case d == Undefined:
		return nil, fmt.Errorf("tensor: there are no optionals of %v", inner)
	case x == nil:
		return boxed(d, inner, nil)
	}
	return boxed(d, inner, []*Tensor{x})
}

// NewMap has one of values [N] for each of keys [N]. They are not copied: nobody may change them from then on.
func NewMap(keys, values *Tensor) (*Tensor, error) {
	d := MapOf(keys.dtype, values.dtype)
	switch {
	case d == Undefined:
		return nil, fmt.Errorf("tensor: there are no maps from %v to %v", keys.dtype, values.dtype)
	case keys.Rank() != 1 || !keys.shape.Equal(values.shape):
		return nil, fmt.Errorf("tensor: a map of keys %v and values %v: want as many of one as of the other", keys, values)
	}
	return &Tensor{dtype: d, shape: Shape{}, contents: contain([]*Tensor{keys, values})}, nil
}

func boxed(d, inner DType, items []*Tensor) (*Tensor, error) {
	for i, x := range items {
		if x == nil || x.dtype != inner {
			return nil, fmt.Errorf("tensor: element %d of %v is %v", i, d, x)
		}
	}
	return &Tensor{dtype: d, shape: Shape{}, contents: contain(items)}, nil
}

// contents are what is in a container.
type contents struct {
	n      int
	items  []*Tensor     // nil where pieces have them and nobody has asked
	pieces *pieces       // nil where only items have them
	held   int           // the memory that they take
	taken  *atomic.Int64 // how many places of the memory behind items sequences have taken; nil where nothing can be appended in place
}

// Overhead is about how many bytes a tensor takes beside its elements.
const Overhead = 160

func contain(items []*Tensor) *contents {
	c := &contents{n: len(items), items: slices.Clip(items)}
	for _, x := range items {
		c.held += Overhead + x.StorageBytes()
	}
	return c
}

// Items are the elements of a sequence, the value of an optional if it has one, the keys and the values of a map; nil for a tensor of
// elements. The caller must not change them.
func (t *Tensor) Items() []*Tensor {
	if t.contents == nil {
		return nil
	}
	if t.pieces != nil {
		return t.pieces.all()
	}
	return slices.Clip(t.items)
}

// NumItems is the length of Items.
func (t *Tensor) NumItems() int {
	if t.contents == nil {
		return 0
	}
	return t.n
}

// Item is Items()[k].
func (t *Tensor) Item(k int) *Tensor {
	if t.pieces != nil {
		return t.pieces.at(k)
	}
	return t.items[k]
}

// StorageBytes is the memory that the elements of t take, what is in containers included, a string counted as its header.
func (t *Tensor) StorageBytes() int {
	n := len(t.raw) + 16*len(t.str)
	if t.contents != nil {
		n += t.held
	}
	return n
}

// count is how many entries a container has.
func (t *Tensor) count() int {
	if t.dtype.Kind() == Map {
		return t.Item(0).Len()
	}
	return t.n
}
