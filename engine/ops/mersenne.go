package ops

// mersenne is the generator MT19937 as NumPy's RandomState uses it: what the outputs of ONNX's reference implementation follow from.
//
// Source: Matsumoto and Nishimura 1998, "Mersenne Twister", ACM TOMACS 8(1).
type mersenne struct {
	key [624]uint32
	pos int
}

// newMersenne is the generator in the state of numpy.random.seed(seed).
func newMersenne(seed uint32) *mersenne {
	m := &mersenne{pos: 624}
	for i := range m.key {
		m.key[i] = seed
		seed = 1812433253*(seed^seed>>30) + uint32(i) + 1
	}
	return m
}

func (m *mersenne) next() uint32 {
	if m.pos == len(m.key) {
		n := len(m.key)
		for i := range m.key {
			y := m.key[i]&0x80000000 | m.key[(i+1)%n]&0x7fffffff
			x := m.key[(i+397)%n] ^ y>>1
			if y&1 != 0 {
				x ^= 0x9908b0df
			}
			m.key[i] = x
		}
		m.pos = 0
	}
	y := m.key[m.pos]
	m.pos++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// float64 is uniform in [0, 1), with 53 bits.
func (m *mersenne) float64() float64 {
	a, b := m.next()>>5, m.next()>>6
	return (float64(a)*(1<<26) + float64(b)) / (1 << 53)
}
