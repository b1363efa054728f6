// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ISettlementChannels} from "./ISettlementChannels.sol";

/**
 * @title Custody of the channels' money
 * @notice How money comes in (exactly the amount that was booked, or nothing happens) and goes out (paid, or kept for
 * its owner). Knows nothing of channels.
 */
abstract contract Custody is ISettlementChannels, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @dev Gas for a payout in the native coin: wallets behind a proxy need about 10,000.
    uint256 private constant NATIVE_PAYOUT_GAS = 50_000;
    /// @dev Gas for a payout in a token: common tokens need 30,000 to 60,000, the heaviest around 200,000.
    uint256 private constant TOKEN_PAYOUT_GAS = 300_000;
    /// @dev What a CALL itself may cost (cold account 2,600, value 9,000, new account 25,000), and the way to it.
    uint256 private constant CALL_OVERHEAD_GAS = 40_000;

    /// @inheritdoc ISettlementChannels
    mapping(address account => mapping(address token => uint256 amount)) public owed;

    /// @inheritdoc ISettlementChannels
    function withdrawOwed(address account, address token, address to) external nonReentrant {
        if (to != account && (to == address(0) || token != address(0) || msg.sender != account)) {
            revert BadRecipient(to);
        }
        uint256 amount = owed[account][token];
        if (amount == 0) revert NothingOwed(account, token);
        owed[account][token] = 0;
        emit OwedWithdrawn(account, token, to, amount);
        if (token != address(0)) {
            IERC20(token).safeTransfer(to, amount);
        } else if (!_send(to, amount, gasleft())) {
            revert PayoutFailed(to, amount);
        }
    }

    // Money in

    /// @dev Takes the native coin of this call, or a token by the caller's allowance.
    function _pull(address token, uint256 amount) internal {
        uint256 expected = token == address(0) ? amount : 0;
        if (msg.value != expected) revert WrongValue(expected, msg.value);
        if (token != address(0)) _pullToken(token, amount);
    }

    /// @dev The permit may have been used by somebody else already: what counts is the allowance.
    function _pullWithPermit(address token, uint256 amount, Permit calldata permit) internal {
        _requireCode(token);
        try IERC20Permit(token).permit(
            msg.sender, address(this), amount, permit.deadline, permit.v, permit.r, permit.s
        ) {} catch {}
        _pullToken(token, amount);
    }

    function _pullToken(address token, uint256 amount) private {
        uint256 before = _ownBalance(token);
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        _checkReceived(token, before, amount);
    }

    /// @dev Not `transferWithAuthorization`, which anybody could send ahead, and the money would be here without a channel.
    function _pullWithAuthorization(
        address token,
        address from,
        uint256 amount,
        bytes32 nonce,
        Authorization calldata auth
    ) internal {
        uint256 before = _ownBalance(token);
        IERC3009(token).receiveWithAuthorization(
            from, address(this), amount, auth.validAfter, auth.validBefore, nonce, auth.v, auth.r, auth.s
        );
        _checkReceived(token, before, amount);
    }

    function _checkReceived(address token, uint256 before, uint256 amount) private view {
        uint256 received = _ownBalance(token) - before;
        if (received != amount) revert WrongAmountReceived(amount, received);
    }

    function _ownBalance(address token) private view returns (uint256) {
        _requireCode(token);
        return IERC20(token).balanceOf(address(this));
    }

    function _requireCode(address token) private view {
        if (token.code.length == 0) revert NotAToken(token);
    }

    // Money out

    /**
     * @dev Pays, or notes what is owed: whoever cannot be paid holds up nobody else. The gas given is bounded, and a
     * payout that failed only because the caller sent too little reverts, so that nobody can defer others' payouts.
     */
    function _payout(address token, address to, uint256 amount) internal {
        if (amount == 0) return;
        uint256 available = gasleft();
        uint256 limit = token == address(0) ? NATIVE_PAYOUT_GAS : TOKEN_PAYOUT_GAS;
        if (token == address(0) ? _send(to, amount, limit) : _transfer(token, to, amount, limit)) return;
        // A call is given 63/64 of what is there at most (EIP-150).
        if (available < (limit * 64) / 63 + CALL_OVERHEAD_GAS) revert InsufficientGas();
        owed[to][token] += amount;
        emit PayoutDeferred(to, token, amount);
    }

    function _send(address to, uint256 amount, uint256 limit) private returns (bool success) {
        (success,,) = _call(to, amount, limit, "");
    }

    /// @dev As SafeERC20's, with bounded gas: true, or nothing at all from an address with code.
    function _transfer(address token, address to, uint256 amount, uint256 limit) private returns (bool) {
        bytes memory data = abi.encodeCall(IERC20.transfer, (to, amount));
        (bool success, uint256 size, uint256 answer) = _call(token, 0, limit, data);
        if (!success) return false;
        return size == 0 ? token.code.length != 0 : size >= 32 && answer == 1;
    }

    /// @dev Takes no more than one word of the answer, whatever is returned.
    function _call(address to, uint256 value, uint256 limit, bytes memory data)
        private
        returns (bool success, uint256 size, uint256 answer)
    {
        assembly ("memory-safe") {
            success := call(limit, to, value, add(data, 0x20), mload(data), 0x00, 0x20)
            size := returndatasize()
            answer := mload(0x00)
        }
    }
}
