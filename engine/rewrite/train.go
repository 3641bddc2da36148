package rewrite

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// StateUpdate says that after a run the content of Value belongs into Param.
type StateUpdate struct{ Param, Value graph.Value }

// TrainBatchNorm puts the BatchNormalization nodes of g into training mode: they normalise by the statistics of the batch and also return
// the updated running statistics. Nodes whose statistics are not parameters stay as they are.
func TrainBatchNorm(g *graph.Graph) []StateUpdate {
	var updates []StateUpdate
	b := graph.NewBuilder(g)
	for _, n := range g.Nodes {
		if !ops.IsBatchNorm(n) || n.NumIn < 5 || g.Info(n.In[3]).Kind != graph.Parameter || g.Info(n.In[4]).Kind != graph.Parameter {
			continue
		}
		ops.SetBatchNormTraining(n)
		mean, variance := b.ExtraOutput(n, 1), b.ExtraOutput(n, 2)
		updates = append(updates, StateUpdate{n.In[3], mean}, StateUpdate{n.In[4], variance})
	}
	return updates
}
