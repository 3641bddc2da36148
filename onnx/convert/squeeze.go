package convert

func init() { register("Squeeze", 13, axesMoved()) }
