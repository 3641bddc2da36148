package explain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Formula is a number made of the outputs of one example, such as scores[0,17,1] or mean(out[:,2,4:8])-b[0,3].
type Formula struct {
	text string
	root node
}

// String is the formula as it was written.
func (f *Formula) String() string { return f.text }

// The nodes of a formula.
type (
	node      interface{}
	number    float64
	tensorRef struct {
		name  string
		index []item // nil for the whole tensor
	}
	call struct {
		fn string
		x  node
	}
	negated struct{ x node }
	binary  struct {
		op   byte
		x, y node
	}
)

// item is one index: a number, a range, or an ellipsis for as many whole axes as are left.
type item struct {
	at       int
	from, to *int // of a range
	isRange  bool
	ellipsis bool
}

// functions are those of a formula, over all numbers of an example.
var functions = []string{"sum", "mean", "max", "min", "norm"}

// ParseFormula reads a formula over the outputs of a model, by name:
//
// //	formula = term { ("+" | "-") term }      term  = factor { "*" factor } //	factor  = "-" factor | number | function "(" formula
// ")" | "(" formula ")" | tensor //	tensor  = name [ "[" index { "," index } "]" ] //	index   = number | [number] ":" [number] |
// "..."
//
// Functions are sum, mean, max, min and norm (Euclidean), over all numbers of an example. Indices are NumPy's, for a batch of one: the
// first is that of the example, 0 or a colon; numbers count from 0, or from the end when negative; axes that are left out are taken
// whole. A name that is not made of letters, digits, _, ., / and : stands in quotes. The formula must come to one number for each
// example.
func ParseFormula(s string) (*Formula, error) {
	p := &parser{s: s}
	x, err := p.formula()
	if p.skip(); err == nil && p.at < len(p.s) {
		err = p.fail("unexpected %q", p.s[p.at:])
	}
	if err != nil {
		return nil, fmt.Errorf("explain: objective %q: %w", s, err)
	}
	f := &Formula{s, x}
	if len(f.tensors()) == 0 {
		return nil, fmt.Errorf("explain: objective %q: names no output", s)
	}
	return f, nil
}

// tensors are the names in f, each once.
func (f *Formula) tensors() []string {
	var out []string
	var walk func(n node)
	walk = func(n node) {
		switch n := n.(type) {
		case tensorRef:
			if !slices.Contains(out, n.name) {
				out = append(out, n.name)
			}
		case call:
			walk(n.x)
		case negated:
			walk(n.x)
		case binary:
			walk(n.x)
			walk(n.y)
		}
	}
	walk(f.root)
	return out
}

// parser reads a formula from left to right.
type parser struct {
	s     string
	at    int
	depth int
}

// maxFormulaDepth bounds the nesting of a formula.
const maxFormulaDepth = 100

func (p *parser) fail(format string, a ...any) error {
	return fmt.Errorf("at %d: "+format, append([]any{p.at + 1}, a...)...)
}

func (p *parser) skip() {
	for p.at < len(p.s) && (p.s[p.at] == ' ' || p.s[p.at] == '\t') {
		p.at++
	}
}

// take reports whether c comes next, and steps over it.
func (p *parser) take(c byte) bool {
	p.skip()
	if p.at < len(p.s) && p.s[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *parser) want(c byte) error {
	if !p.take(c) {
		return p.fail("want %q", string(c))
	}
	return nil
}

func (p *parser) formula() (node, error) {
	if p.depth++; p.depth > maxFormulaDepth {
		return nil, p.fail("nested more than %d deep", maxFormulaDepth)
	}
	defer func() { p.depth-- }()
	x, err := p.term()
	for err == nil {
		op := byte(0)
		for _, c := range []byte("+-") {
			if op == 0 && p.take(c) {
				op = c
			}
		}
		if op == 0 {
			break
		}
		var y node
		if y, err = p.term(); err == nil {
			x = binary{op, x, y}
		}
	}
	return x, err
}

func (p *parser) term() (node, error) {
	x, err := p.factor()
	for err == nil && p.take('*') {
		var y node
		if y, err = p.factor(); err == nil {
			x = binary{'*', x, y}
		}
	}
	return x, err
}

func (p *parser) factor() (node, error) {
	minus := false
	for p.take('-') {
		minus = !minus
	}
	x, err := p.primary()
	if minus && err == nil {
		x = negated{x}
	}
	return x, err
}

func (p *parser) primary() (node, error) {
	p.skip()
	if p.take('(') {
		x, err := p.formula()
		if err == nil {
			err = p.want(')')
		}
		return x, err
	}
	if p.at == len(p.s) {
		return nil, p.fail("the formula ends too early")
	}
	if c := p.s[p.at]; c >= '0' && c <= '9' || c == '.' {
		from := p.at
		for p.at < len(p.s) && strings.IndexByte("0123456789.eE", p.s[p.at]) >= 0 {
			if p.at++; p.at < len(p.s) && (p.s[p.at] == '-' || p.s[p.at] == '+') && strings.IndexByte("eE", p.s[p.at-1]) >= 0 {
				p.at++
			}
		}
		v, err := strconv.ParseFloat(p.s[from:p.at], 64)
		if next, _ := utf8.DecodeRuneInString(p.s[p.at:]); err != nil || unicode.IsLetter(next) || next == '_' || next == '[' {
			p.at = from
			return nil, p.fail("%q is no number; an output whose name begins with a digit stands in quotes", p.s[from:])
		}
		return number(v), nil
	}
	name, quoted, err := p.name()
	if err != nil {
		return nil, err
	}
	if !quoted && p.take('(') {
		if !slices.Contains(functions, name) {
			return nil, p.fail("no function %q%s; there are %s", name, didYouMean(name, functions), strings.Join(functions, ", "))
		}
		x, err := p.formula()
		if err == nil {
			err = p.want(')')
		}
		return call{name, x}, err
	}
	r := tensorRef{name: name}
	if p.take('[') {
		r.index, err = p.index()
	}
	return r, err
}

// name is a tensor's name, quoted or not.
func (p *parser) name() (name string, quoted bool, err error) {
	if c := p.s[p.at]; c == '"' || c == '\'' {
		end := strings.IndexByte(p.s[p.at+1:], c)
		if end < 0 {
			return "", false, p.fail("the quote is not closed")
		}
		name = p.s[p.at+1 : p.at+1+end]
		p.at += end + 2
		return name, true, nil
	}
	from := p.at
	for i, r := range p.s[from:] {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_./:", r) {
			break
		}
		p.at = from + i + len(string(r))
	}
	if p.at == from {
		return "", false, p.fail("want a number or the name of an output, have %q", p.s[from:])
	}
	return p.s[from:p.at], false, nil
}

func (p *parser) index() ([]item, error) {
	out := []item{}
	for {
		p.skip()
		var it item
		if strings.HasPrefix(p.s[p.at:], "...") {
			p.at += 3
			it.ellipsis = true
			if slices.ContainsFunc(out, func(o item) bool { return o.ellipsis }) {
				return nil, p.fail("two ellipses")
			}
		} else {
			from, err := p.integer()
			if err != nil {
				return nil, err
			}
			if it.isRange = p.take(':'); it.isRange {
				it.from = from
				if it.to, err = p.integer(); err != nil {
					return nil, err
				}
			} else if from == nil {
				return nil, p.fail("want an index: a number, a range or ...")
			} else {
				it.at = *from
			}
		}
		out = append(out, it)
		if p.take(',') {
			continue
		}
		return out, p.want(']')
	}
}

// integer is a whole number, nil when none comes next.
func (p *parser) integer() (*int, error) {
	p.skip()
	from := p.at
	if p.at < len(p.s) && p.s[p.at] == '-' {
		p.at++
	}
	for p.at < len(p.s) && p.s[p.at] >= '0' && p.s[p.at] <= '9' {
		p.at++
	}
	if p.at == from {
		return nil, nil
	}
	v, err := strconv.Atoi(p.s[from:p.at])
	if err != nil {
		p.at = from
		return nil, p.fail("%q is no index", p.s[from:])
	}
	return &v, nil
}
