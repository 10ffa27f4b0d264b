// Command image builds the container image without a Docker engine: it compiles the
// program, and does what the last stage of deployments/container/Dockerfile says. The same
// source, Go and revision give the same image, bit for bit.
//
//	go -C deployments/checks run ./image -version v1.2.3
//
// It writes, below the directory -out, an OCI layout with all platforms, which tools such as
// crane and skopeo push, and an archive for each platform, for docker load. With -push it
// pushes the image itself, with the credentials of docker login.
package main
