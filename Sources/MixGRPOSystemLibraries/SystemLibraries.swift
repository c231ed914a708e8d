// Holds no code: what depends on this target is linked with the system's libpng. Executables are; libmixgrpo.so carries its own.
