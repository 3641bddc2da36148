package convert

func init() { register("Unsqueeze", 13, axesMoved()) }
