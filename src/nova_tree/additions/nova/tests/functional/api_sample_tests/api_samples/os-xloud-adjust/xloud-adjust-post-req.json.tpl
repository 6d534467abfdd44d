{
    "current_vcpus": 3,
    "current_memory_mb": 3072,
    "persist": true
}
