package kernel

// LSTMF32 is a step of an LSTM with the logistic function and tanh: row holds the gates i, o, f and g before activation, one behind the
// other, and after it those after it; c and h are the cell and the state before the step and then after it.
//
//	i, o, f, g = σ(i), σ(o), σ(f), tanh(g);  c = f⊙c + i⊙g;  h = o⊙tanh(c)
//
// It runs on the calling thread.
func LSTMF32(row, c, h []float32) {
	k := len(h)
	atLeast(k, len(c))
	atLeast(4*k, len(row))
	vec.lstm(c[:k], h, row[:k], row[k:2*k], row[2*k:3*k], row[3*k:4*k])
}

// LSTMGradF32 is the gradient of LSTMF32: dh and dc are those by the state and the cell after the step, dz becomes that by the gates before
// activation and dc that by the cell before the step. row are the gates after activation, cell and old the cells after and before the step.
func LSTMGradF32(dz, dc, dh, row, cell, old []float32) {
	k := len(dh)
	atLeast(k, len(dc), len(cell), len(old))
	atLeast(4*k, len(row), len(dz))
	vec.lstmGradOut(dc[:k], dz[k:2*k], dh, row[k:2*k], cell[:k])
	vec.lstmGradIn(dc[:k], dz[:k], dz[2*k:3*k], dz[3*k:4*k], row[:k], row[2*k:3*k], row[3*k:4*k], old[:k])
}

// GRUF32 is a step of a GRU whose reset gate comes after the product: row holds the gates z, r and n before activation, n without what
// comes from the state, which is q; h is the state.
//
//	z, r = σ(z), σ(r);  n = tanh(n + r⊙q);  h = n + z⊙(h-n)
//
// It runs on the calling thread.
func GRUF32(row, h, q []float32) {
	k := len(h)
	atLeast(k, len(q))
	atLeast(3*k, len(row))
	vec.gru(h, row[:k], row[k:2*k], row[2*k:3*k], q[:k])
}

func sigmoid32(x float32) float32 { return float32(sigmoid(float64(x))) }

func tanh32(x float32) float32 { return float32(tanh(float64(x))) }

func plainLSTM(c, h, i, o, f, g []float32) {
	for j := range c {
		i[j], o[j], f[j], g[j] = sigmoid32(i[j]), sigmoid32(o[j]), sigmoid32(f[j]), tanh32(g[j])
		c[j] = f[j]*c[j] + i[j]*g[j]
		h[j] = o[j] * tanh32(c[j])
	}
}

func plainGRU(h, z, r, n, q []float32) {
	for j := range h {
		z[j], r[j] = sigmoid32(z[j]), sigmoid32(r[j])
		n[j] = tanh32(n[j] + r[j]*q[j])
		h[j] = n[j] + z[j]*(h[j]-n[j])
	}
}

func plainLSTMGradOut(dc, zo, dh, o, cell []float32) {
	for j := range dc {
		t := tanh32(cell[j])
		zo[j] = dh[j] * t * (o[j] * (1 - o[j]))
		dc[j] += dh[j] * o[j] * (1 - t*t)
	}
}

func plainLSTMGradIn(dc, zi, zf, zg, i, f, g, old []float32) {
	for j, d := range dc {
		zi[j] = d * g[j] * (i[j] * (1 - i[j]))
		zf[j] = d * old[j] * (f[j] * (1 - f[j]))
		zg[j] = d * i[j] * (1 - g[j]*g[j])
		dc[j] = d * f[j]
	}
}
