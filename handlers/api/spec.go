package api

import (
	_ "embed" // the file is a part of the program
	"net/http"

	"github.com/gin-gonic/gin"
)

// SpecPath is where the OpenAPI file is served. It needs no token.
const SpecPath = "/api/openapi.yaml"

//go:embed openapi.yaml
var spec []byte

// Spec serves the OpenAPI file.
func Spec(g *gin.Context) {
	g.Header("Cache-Control", "no-cache")
	g.Data(http.StatusOK, "application/yaml", spec)
}
