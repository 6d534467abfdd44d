{
    "xloud_status": {
        "attached_dimms_mb": 0,
        "balloon_driver_active": true,
        "current_memory_mb": 1024,
        "current_vcpus": 1,
        "guest_online_vcpus": null,
        "has_virtiomem": false,
        "max_memory_mb": 4096,
        "max_vcpus": 4,
        "min_memory_mb": 1024,
        "min_vcpus": 1
    }
}
