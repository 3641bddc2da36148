package rewrite

// The parts of Fuse, for tests of each alone.
var (
	FuseResidual   = fuseResidual
	FuseActivation = fuseActivation
	FuseReluGrad   = fuseReluGrad
	FuseClip       = fuseClip
)
