package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// put writes fields of Thrift's compact protocol: ids that follow one another, 0 passes one over.
type put struct{ bytes.Buffer }

func (p *put) uvarint(v uint64)        { p.Write(binary.AppendUvarint(nil, v)) }
func (p *put) number(v int64)          { p.uvarint(uint64(v<<1) ^ uint64(v>>63)) }
func (p *put) int(delta int, v int64)  { p.WriteByte(byte(delta<<4 | 5)); p.number(v) }
func (p *put) long(delta int, v int64) { p.WriteByte(byte(delta<<4 | 6)); p.number(v) }
func (p *put) text(delta int, s string) {
	p.WriteByte(byte(delta<<4 | thriftBytes))
	p.uvarint(uint64(len(s)))
	p.WriteString(s)
}
func (p *put) list(delta, n int, kind byte) {
	p.WriteByte(byte(delta<<4 | thriftList))
	p.WriteByte(0xF0 | kind)
	p.uvarint(uint64(n))
}
func (p *put) open(delta int) { p.WriteByte(byte(delta<<4 | thriftStruct)) }
func (p *put) end()           { p.WriteByte(0) }

// oneColumn is a file of one required column of n rows in one page.
func oneColumn(kind Physical, n int64, codec, encoding int64, packed []byte, unpacked int64) []byte {
	var f, page, foot put
	f.WriteString("PAR1")
	page.int(1, 0)
	page.int(1, unpacked)
	page.int(1, int64(len(packed)))
	page.open(2)
	page.int(1, n)
	page.int(1, encoding)
	page.int(1, 3)
	page.int(1, 3)
	page.end()
	page.end()
	f.Write(page.Bytes())
	f.Write(packed)
	length := int64(f.Len() - 4)
	foot.int(1, 1)
	foot.list(1, 2, thriftStruct)
	foot.text(4, "schema")
	foot.int(1, 1)
	foot.end()
	foot.int(1, int64(kind))
	foot.int(2, 0)
	foot.text(1, "a")
	foot.end()
	foot.long(1, n)
	foot.list(1, 1, thriftStruct)
	foot.list(1, 1, thriftStruct)
	foot.open(3)
	foot.int(1, int64(kind))
	foot.int(3, codec)
	foot.long(1, n)
	foot.long(1, unpacked)
	foot.long(1, length)
	foot.long(2, 4)
	foot.end()
	foot.end()
	foot.long(1, length)
	foot.long(1, n)
	foot.end()
	foot.end()
	f.Write(foot.Bytes())
	f.Write(binary.LittleEndian.AppendUint32(nil, uint32(foot.Len())))
	f.WriteString("PAR1")
	return f.Bytes()
}

var errMemory = errors.New("memory")

// load reads the only page of a file with most bytes of memory.
func load(file []byte, most int64) (*Page, error) {
	asked := int64(0)
	ask := func(n int64) error {
		if asked += n; asked > most {
			return errMemory
		}
		return nil
	}
	f, err := Open(bytes.NewReader(file), int64(len(file)), ask)
	if err != nil {
		return nil, err
	}
	c, err := f.Chunk(0, 0, ask)
	if err != nil {
		return nil, err
	}
	d, err := c.Dictionary(ask)
	if err != nil {
		return nil, err
	}
	return c.Page(0, d, ask)
}

// packedDeltas is numbers as differences, in blocks of 128 of 4 parts, with so many bits each.
func packedDeltas(v []int64, bits int) []byte {
	var p put
	p.uvarint(128)
	p.uvarint(4)
	p.uvarint(uint64(len(v)))
	p.number(v[0])
	for at := 1; at < len(v); at += 128 {
		part := v[at-1 : min(len(v), at+128)]
		least := int64(math.MaxInt64)
		for i := 1; i < len(part); i++ {
			least = min(least, part[i]-part[i-1])
		}
		p.number(least)
		p.Write(bytes.Repeat([]byte{byte(bits)}, 4))
		block := make([]byte, 128*bits/8)
		for i := 1; i < len(part); i++ {
			d := uint64(part[i] - part[i-1] - least)
			for b := range bits {
				if d>>b&1 == 1 {
					k := (i-1)*bits + b
					block[k/8] |= 1 << (k % 8)
				}
			}
		}
		p.Write(block[:(len(part)-1+31)/32*32*bits/8]) // parts without values have no bytes
	}
	return p.Bytes()
}

func TestEncodings(t *testing.T) {
	numbers := make([]int64, 300)
	for i := range numbers {
		numbers[i] = int64(i*i%97)*5 - 200
	}
	page, err := load(oneColumn(Int64, 300, 0, encDelta, packedDeltas(numbers, 11), int64(len(packedDeltas(numbers, 11)))), 1<<20)
	if err != nil || !slices.Equal(page.Ints, numbers) {
		t.Fatal(page, err)
	}
	// The example of Encodings.md: one byte stream of three floats behind another.
	split := []byte{0xAA, 0x00, 0xA3, 0xBB, 0x11, 0xB4, 0xCC, 0x22, 0xC5, 0xDD, 0x33, 0xD6}
	page, err = load(oneColumn(Float, 3, 0, encSplit, split, 12), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for i, bits := range []uint32{0xDDCCBBAA, 0x33221100, 0xD6C5B4A3} {
		if page.Reals[i] != float64(math.Float32frombits(bits)) {
			t.Errorf("value %d: %v", i, page.Reals[i])
		}
	}
	texts := []string{"axis", "axle", "babble", "babyhood"} // of Encodings.md, delta strings
	b := slices.Concat(packedDeltas([]int64{0, 2, 0, 3}, 8), packedDeltas([]int64{4, 2, 6, 5}, 8), []byte("axislebabbleyhood"))
	page, err = load(oneColumn(ByteArray, 4, 0, encDeltaText, b, int64(len(b))), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range texts {
		if string(page.Bytes[i]) != s {
			t.Errorf("%q, want %q", page.Bytes[i], s)
		}
	}
	b = append(packedDeltas([]int64{3, 0, 2, 1}, 8), "abcdef"...)
	page, err = load(oneColumn(ByteArray, 4, 0, encDeltaLen, b, int64(len(b))), 1<<20)
	if err != nil || string(page.Bytes[0]) != "abc" || len(page.Bytes[1]) != 0 || string(page.Bytes[3]) != "f" {
		t.Error(page, err)
	}
	// Encodings.md: the numbers 0 to 7 in three bits, and a run.
	dst := make([]uint8, 12)
	err = hybrid(dst, []byte{3, 0x88, 0xC6, 0xFA, 8, 5}, 3)
	if err != nil || !slices.Equal(dst, []uint8{0, 1, 2, 3, 4, 5, 6, 7, 5, 5, 5, 5}) {
		t.Error(dst, err)
	}
}

// What a small file claims is refused before memory is taken for it.
func TestBombs(t *testing.T) {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 64<<20)
	bomb := z.EncodeAll(zeros, nil)
	run := append(binary.AppendUvarint([]byte{6, 0, 0, 0}, 1<<32), 1)
	first := strings.Repeat("x", 1000)
	shared := make([]int64, 100000)
	for i := 1; i < len(shared); i++ {
		shared[i] = 1000
	}
	rest := make([]int64, len(shared))
	rest[0] = 1000
	prefixes := slices.Concat(packedDeltas(shared, 16), packedDeltas(rest, 16), []byte(first))
	small := z.EncodeAll(prefixes, nil)
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"zstd of zeros":         {oneColumn(Int64, 8<<20, zstdCodec, encPlain, bomb, 64<<20), ErrUnfolds},
		"a page of 2 GB":        {oneColumn(Int64, 1<<20, zstdCodec, encPlain, bomb[:100], math.MaxInt32), ErrUnfolds},
		"snappy of 2 GB":        {oneColumn(Int64, 1<<10, snappyCodec, encPlain, binary.AppendUvarint(nil, math.MaxUint32), 1<<20), nil},
		"rows":                  {oneColumn(Int64, 1<<40, 0, encPlain, make([]byte, 8), 8), ErrUnfolds},
		"more rows than values": {oneColumn(Int64, 1<<20, 0, encPlain, make([]byte, 8), 8), errShort},
		"a run of 2^31":         {oneColumn(Boolean, 1<<22, 0, encRLE, run, int64(len(run))), errMemory},
		"a delta of 2^31":       {oneColumn(Int64, 1<<20, 0, encDelta, append([]byte{128, 1, 4}, binary.AppendUvarint(nil, 1<<31)...), 8), nil},
		"shared beginnings":     {oneColumn(ByteArray, int64(len(shared)), zstdCodec, encDeltaText, small, int64(len(prefixes))), nil},
	} {
		if _, err := load(c.file, 24<<20); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	plain := make([]byte, 80)
	if p, err := load(oneColumn(Int64, 10, snappyCodec, encPlain, snappy.Encode(nil, plain), 80), 1<<20); err != nil || len(p.Ints) != 10 {
		t.Error(p, err)
	}
	_, err = load(oneColumn(Int64, 10, 4, encPlain, plain, 80), 1<<20)
	if !errors.Is(err, ErrForm) || !strings.Contains(fmt.Sprint(err), "brotli") {
		t.Error(err)
	}
}

// Structures in structures and lists in lists without end are refused.
func TestDeep(t *testing.T) {
	for _, b := range []string{strings.Repeat("\x1c", 1<<20), strings.Repeat("\x19\x19", 1<<20), "\x19\xf9\xff\xff\xff\xff\x7f"} {
		r := &thrift{b: []byte(b)}
		r.fields(func(int, byte) bool { return false })
		if r.err == nil {
			t.Error("no error")
		}
	}
}
