// Package packages tests what a release is made of: the program as .goreleaser.yaml has it
// built, the same bytes from any directory, and the packages for Debian and Red Hat,
// installed, upgraded and removed. The packages' files are in deployments/packages and
// deployments/systemd.
package packages
