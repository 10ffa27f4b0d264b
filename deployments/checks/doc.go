// Package checks tests how signal-client is shipped: compose files, the Helm chart, packages.
// It is a module of its own, because Helm, nfpm and their dependencies are not to become
// dependencies of the program. Each way of shipping has a package below;
// image also builds the container image.
package checks
