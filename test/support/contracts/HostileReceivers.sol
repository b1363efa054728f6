// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice An account with code that does what it is told and takes the native coin in a manner of choice.
contract HostileReceiver {
    enum Manner {
        Take,
        Revert,
        BurnGas,
        ReturnBomb,
        CallBack,
        TakeWithEffort
    }

    // One slot, so that `receive` can write it with the gas of a payout.
    Manner public manner;
    address public target;
    /// @notice Whether money came while `manner` was CallBack, and whether the call then made went through.
    bool public called;
    bool public calledWell;
    bytes public data;

    error CallFailed(bytes answer);

    function setManner(Manner chosen) external {
        manner = chosen;
    }

    function setCall(address to, bytes calldata what) external {
        target = to;
        data = what;
        manner = Manner.CallBack;
        called = false;
        calledWell = false;
    }

    /// @notice Makes a call as this account.
    function execute(address to, uint256 value, bytes calldata what) external payable returns (bytes memory) {
        (bool success, bytes memory answer) = to.call{value: value}(what);
        if (!success) revert CallFailed(answer);
        return answer;
    }

    receive() external payable {
        if (manner == Manner.Revert) revert();
        if (manner == Manner.BurnGas) {
            while (true) {}
        }
        if (manner == Manner.ReturnBomb) {
            assembly {
                revert(0, 10000)
            }
        }
        if (manner == Manner.CallBack) {
            (bool success,) = target.call(data);
            called = true;
            calledWell = success;
        }
        if (manner == Manner.TakeWithEffort) {
            // Three fresh slots: more than a payout is given, less than a transaction has.
            for (uint256 i = 0; i < 3; ++i) {
                assembly {
                    sstore(add(timestamp(), i), 1)
                }
            }
        }
    }
}

/// @notice Says yes to every signature: vouchers must not be judged by it.
contract WillingSigner {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return 0x1626ba7e;
    }
}
