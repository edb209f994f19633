package vault

// RealCost is what a PIN costs; tests pay less.
var RealCost = defaultCost

// SetCost sets the cost of PINs that are made from now on.
func SetCost(c Cost) { defaultCost = c }

func init() { SetCost(Cost{Time: 1, Memory: 8, Threads: 1}) }
