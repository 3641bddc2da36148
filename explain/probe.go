package explain
import ("context";"github.com/gtk-onnx/gtk/tensor")
type Probe struct{ clean *Pass; noise *tensor.Tensor; x *tensor.Tensor; pass func(x *tensor.Tensor, rows []int) (*Pass, error) }
type Pass struct { Act, Grad []*tensor.Tensor; InputGrad *tensor.Tensor }
type Policy struct{}
var Plain Policy
func (p *Probe) Clean(ctx context.Context) (*Pass,error) { return p.clean,nil }
func (p *Probe) Pass(ctx context.Context, _ Policy, x *tensor.Tensor, rows []int) (*Pass,error) { return p.pass(x,rows) }
func (p *Probe) Layers() []string { return make([]string,len(p.clean.Act)) }
func (p *Probe) Rows() int { return 1 }
func (p *Probe) Input() *tensor.Tensor { return p.x }
func (p *Probe) Noise() *tensor.Tensor { return p.noise }
func (p *Probe) Seed() uint64 { return 0 }
func (p *Probe) Batch() int { return 8 }
func (p *Probe) each(n int, f func(int)) { for i:=range n { f(i) } }
