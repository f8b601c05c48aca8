// CMake compiles cmake/precompiled.h with this file.
