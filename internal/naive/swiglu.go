package naive

func init() {
	register(map[string]operator{"SwiGLU": func(c *call) []*value {
		a, b, alpha := c.in[0], c.in[1], c.float("alpha", 1)
		y := zeros(a.d, a.shape...)
		for i, x := range a.f {
			y.f[i] = x * sigmoid(alpha*x) * b.f[i]
		}
		return []*value{y}
	}})
}
