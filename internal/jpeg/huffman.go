package jpeg

import "errors"

// huffman is a code: for each length the first code word, one past the last, and where their symbols begin.
type huffman struct {
	first, end, at [17]int
	symbols        []byte
}

func (d *decoder) huffman(b []byte) error {
	for len(b) > 0 {
		if len(b) < 17 || b[0]>>4 > 1 || b[0]&15 > 3 {
			return errors.New("jpeg: malformed code")
		}
		h := &huffman{}
		code, total := 0, 0
		for n := 1; n <= 16; n++ {
			h.first[n], h.at[n] = code, total
			code += int(b[n])
			total += int(b[n])
			h.end[n] = code
			if code > 1<<n {
				return errors.New("jpeg: a code of too many words")
			}
			code <<= 1
		}
		if len(b) < 17+total {
			return errors.New("jpeg: malformed code")
		}
		h.symbols = b[17 : 17+total]
		d.coders[b[0]>>4][b[0]&15] = h
		b = b[17+total:]
	}
	return nil
}

// bit is the next bit. Behind the end of the data there are none.
func (d *decoder) bit() (int, error) {
	if d.held == 0 {
		if len(d.file) == 0 {
			return 0, errShort
		}
		b := d.file[0]
		if b == 0xff {
			if len(d.file) < 2 || d.file[1] != 0 {
				return 0, errShort
			}
			d.file = d.file[1:]
		}
		d.file = d.file[1:]
		d.bits, d.held = uint32(b), 8
	}
	d.held--
	return int(d.bits>>d.held) & 1, nil
}

// symbol decodes one symbol.
func (d *decoder) symbol(h *huffman) (int, error) {
	code := 0
	for n := 1; n <= 16; n++ {
		b, err := d.bit()
		if err != nil {
			return 0, err
		}
		if code = code<<1 | b; code < h.end[n] {
			return int(h.symbols[h.at[n]+code-h.first[n]]), nil
		}
	}
	return 0, errors.New("jpeg: bits that are no code word")
}

// value is a number of n bits, whose first bit says that it is positive.
func (d *decoder) value(n int) (int, error) {
	v := 0
	for range n {
		b, err := d.bit()
		if err != nil {
			return 0, err
		}
		v = v<<1 | b
	}
	if n > 0 && v < 1<<(n-1) {
		v -= 1<<n - 1
	}
	return v, nil
}
