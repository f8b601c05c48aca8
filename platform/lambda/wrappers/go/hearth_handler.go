package main

// hearthHandler is the function to serve. The build writes this file anew when HANDLER names
// another symbol.
var hearthHandler any = Handler
